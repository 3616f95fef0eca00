"""What reading a zip archive that cannot be trusted may raise, NumPy's `.npz` among them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import Final

DAMAGED: Final = (
    OSError,
    EOFError,
    KeyError,  # no such member
    ValueError,  # no array, or one of objects
    SyntaxError,  # an array's header that is no literal
    OverflowError,
    MemoryError,
    RuntimeError,  # encrypted, or a compression that is not known
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
"""Catch all of it: `zipfile`, `zlib` and `numpy` each let errors of their own through."""
