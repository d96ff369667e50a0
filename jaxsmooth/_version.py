"""The version of the library, recorded in ledgers."""

__version__ = "0.2.0"
