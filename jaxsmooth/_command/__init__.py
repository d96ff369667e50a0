"""What the command does, one file for what goes together; ``jaxsmooth.__main__`` reads the words of it."""

from jaxsmooth._command.devices import check_devices as check_devices
from jaxsmooth._command.devices import throughput as throughput
from jaxsmooth._command.ledgers import certify_again as certify_again
from jaxsmooth._command.ledgers import merge as merge
from jaxsmooth._command.report import report as report
from jaxsmooth._command.words import FAMILIES as FAMILIES
