"""The version of the library, recorded in ledgers."""

__version__ = "0.1.0"
