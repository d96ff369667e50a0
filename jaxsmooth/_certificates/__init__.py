"""Certificates of every kind: what was proved about each image, as a sequence, a table and a file."""

from jaxsmooth._certificates.base import AbstractCertificates as AbstractCertificates
from jaxsmooth._certificates.certificates import Certificates as Certificates
from jaxsmooth._certificates.concatenate import concatenate as concatenate
from jaxsmooth._certificates.outputs import OutputCertificates as OutputCertificates
from jaxsmooth._certificates.top_k import TopKCertificates as TopKCertificates
from jaxsmooth._certificates.values import ValueCertificates as ValueCertificates
from jaxsmooth._certificates.words import Reason as Reason
from jaxsmooth._certificates.words import Rule as Rule
