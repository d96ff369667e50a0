"""Warnings at the line of the user, however deep in the library their reason is found."""

import os
import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parent) + os.sep


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user that called the library."""
    inside, frame = [], sys._getframe(0)
    while frame is not None:
        inside.append(frame.f_code.co_filename.startswith(_PACKAGE))
        frame = frame.f_back
    outermost = max(level for level, of_package in enumerate(inside) if of_package)
    warnings.warn(message, category, stacklevel=outermost + 2)
