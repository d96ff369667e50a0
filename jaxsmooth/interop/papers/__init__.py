"""The papers' networks, from the tensors of their checkpoints: plain JAX functions of a pytree of weights."""

from jaxsmooth.interop.papers.classifiers import cifar_resnet20 as cifar_resnet20
from jaxsmooth.interop.papers.classifiers import cifar_resnet110 as cifar_resnet110
from jaxsmooth.interop.papers.classifiers import densenet40 as densenet40
from jaxsmooth.interop.papers.classifiers import lenet as lenet
from jaxsmooth.interop.papers.classifiers import resnet50 as resnet50
from jaxsmooth.interop.papers.classifiers import resnet110_a as resnet110_a
from jaxsmooth.interop.papers.classifiers import wide_resnet as wide_resnet
from jaxsmooth.interop.papers.denoisers import dncnn as dncnn
from jaxsmooth.interop.papers.denoisers import unet_cifar as unet_cifar
from jaxsmooth.interop.papers.denoisers import unet_imagenet as unet_imagenet
from jaxsmooth.interop.papers.find import from_paper as from_paper
from jaxsmooth.interop.papers.network import PaperNetwork as PaperNetwork
from jaxsmooth.interop.papers.unet import UNetSizes as UNetSizes
