"""ledger: an append-only record of votes, from which a killed run goes on and certificates are made again."""

from jaxsmooth.ledger.contents import Ledger as Ledger
from jaxsmooth.ledger.file import merge as merge
from jaxsmooth.ledger.file import read as read
