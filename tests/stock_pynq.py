"""pynq's own remote device, without what pynq keeps of one board for all that come later."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pynq import Device, ps
    from pynq.pl_server.remote_device import RemoteDevice


def forget_board() -> None:
    """Forget the device and the clock registers that pynq keeps in its classes."""
    for owner, name in ((Device, "_active_device"), (ps.Clocks, "_real_instance")):
        if name in vars(owner):
            delattr(owner, name)


@contextmanager
def remote_device(port: int) -> Iterator[Any]:
    """Connect as PYNQ's users do; pynq's own code then finds the device."""
    forget_board()
    made = RemoteDevice(0, "127.0.0.1", port)
    Device.active_device = made  # pynq's own code looks there, whatever device it is given
    try:
        yield made
    finally:
        forget_board()
        made.client.channel.close()
