"""What smoothing costs."""

from jaxsmooth.diagnostics.theory import *
