"""Temperatures of the die, from the files of Linux's iio drivers: xadc (Zynq-7000), ams (ZynqMP).

Names differ between kernels, and a remote board cannot list folders: what is known is tried. A
channel's temperature is (raw + offset) * scale, in thousandths of a degree Celsius.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["temperatures"]

_DEVICES: Final = 3
_FOLDER: Final = "/sys/bus/iio/devices/iio:device{}/"
_CHANNELS: Final = (
    "in_temp0", "in_temp0_ps_temp", "in_temp1_remote_temp", "in_temp2_pl_temp",
    "in_temp7", "in_temp8", "in_temp20", "in_temp20_pl_temp",
)  # fmt: skip
_NAMES: Final = ("xadc", "ams", "ams-ps", "ams-pl")


def temperatures(read: Callable[[str], str | None]) -> dict[str, float]:
    """Return the temperatures of a board in degrees Celsius, by device and channel.

    Args:
        read: Returns the text of a file of the board; None if there is none.
    """
    found = {}
    for number in range(_DEVICES):
        folder = _FOLDER.format(number)
        name = read(f"{folder}name")
        if name is None:
            break
        if not any(known in name for known in _NAMES):
            continue
        for channel in _CHANNELS:
            value = _value(read, folder + channel)
            if value is not None:
                found[f"{name} {channel}"] = value
    return found


def _value(read: Callable[[str], str | None], channel: str) -> float | None:
    raw = _number(read(f"{channel}_raw"))
    scale = _number(read(f"{channel}_scale")) if raw is not None else None
    if raw is None or scale is None:
        return None
    return (raw + (_number(read(f"{channel}_offset")) or 0.0)) * scale / 1000


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
