"""What stored results hold, made fit for tables: databases and frames are stricter than JSON."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final

from harness.errors import StorageError

_LARGEST: Final = 2**63


def plain(value: str) -> str:
    """Return text that can be stored as UTF-8; names of folders and JSON may hold what cannot."""
    return value.encode("utf-8", "backslashreplace").decode()


def whole(value: float | None) -> int | None:
    """Return a whole number of at most 64 bits with sign; None stays None.

    Raises:
        StorageError: It is none.
    """
    if value is None:
        return None
    if not (abs(value) < _LARGEST and value == int(value)):
        raise StorageError("holds a number out of range")
    return int(value)


def real(value: float | None) -> float | None:
    """Return a finite number; None stays None.

    Raises:
        StorageError: It is none, or absurdly large.
    """
    if value is None:
        return None
    # Compared before it is converted: JSON has integers that no float can hold.
    if not abs(value) < _LARGEST:
        raise StorageError("holds a number out of range")
    return float(value)


def utc(stamp: object) -> datetime | None:
    """Return an ISO 8601 time in UTC, which is also assumed; None if it is no such text."""
    if not isinstance(stamp, str):
        return None
    try:
        when = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
        return when.replace(tzinfo=when.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
