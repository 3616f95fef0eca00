"""`harness board mlperf-tiny`: a virtual board behind a pty, as MLPerf Tiny's runner expects one.

Every `infer` runs the RTL; the time stamps are simulated board time.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.board.tiny_firmware import Firmware

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

_READ_BYTES: Final = 4096
_STUCK_S: Final = 2.0
_STOP: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def add_parser(commands: Commands) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "mlperf-tiny",
        help="serve an overlay on a virtual board as an MLPerf Tiny device, on a pty",
        description="Answer MLPerf Tiny's runner, or harness host --target mlperf://..., on a pty. "
        "Inferences run in the overlay's RTL through the DMA; time stamps are simulated board "
        "time. Ends on SIGINT or SIGTERM.",
    )
    parser.set_defaults(command=main)
    parser.add_argument("--overlay", required=True, metavar="NAME", help="what the board runs")
    parser.add_argument(
        "--board", metavar="NAME", help="which board (default: the overlay's first)"
    )
    parser.add_argument(
        "--symlink", type=Path, metavar="PATH", help="also make a link to the pty there"
    )
    parser.add_argument("--json", action="store_true", help="print where it is as one line of JSON")


def main(options: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    from harness.board.tiny_firmware import Firmware  # noqa: PLC0415
    from harness.board.tiny_model import BoardModel  # noqa: PLC0415
    from harness.inventory import find_board  # noqa: PLC0415
    from harness.overlay import find_overlay  # noqa: PLC0415
    from harness.report.progress import Progress  # noqa: PLC0415
    from harness.targets import open_target  # noqa: PLC0415

    overlay = find_overlay(options.overlay)
    board = find_board(options.board or overlay.boards[0])
    with (
        Progress(quiet=options.json) as progress,
        open_target("virtual", board, progress.stage) as target,
        BoardModel(target, board, overlay) as model,
        _stopping() as stop,
        Pty(options.symlink) as pty,
    ):
        name = f"harness virtual {board.name}, {target.time_base}"
        firmware = Firmware(name, overlay.name, model, pty.write, stop.requested)
        if options.json:
            where = {"port": pty.path, "target": f"mlperf://{pty.path}", "name": name}
            print(json.dumps({**where, "overlay": overlay.name, "digest": overlay.digest}))
        else:
            print(f"{overlay.name} on {name}: --target mlperf://{pty.path}")
        sys.stdout.flush()
        progress.stage("serving; Ctrl-C ends it")
        serve(firmware, pty, stop)
    return 0


class Stop:
    """Whether to end, and a file descriptor that becomes readable with it."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        self._asked = False

    def request(self) -> None:
        """Ask for the end; callable from a signal handler and from any thread."""
        if not self._asked:
            self._asked = True
            os.write(self._writer, b"\0")

    def requested(self) -> bool:
        """Return whether the end was asked for."""
        return self._asked

    def close(self) -> None:
        """Close the descriptors."""
        os.close(self.reader)
        os.close(self._writer)


class Pty:
    """A pseudo-terminal whose other side looks like a serial port. Use as a context manager.

    Args:
        symlink: A link to that other side, to be made and removed again; None for none.

    Raises:
        InputError: The link cannot be made.
    """

    def __init__(self, symlink: Path | None = None) -> None:
        import tty  # noqa: PLC0415

        self.master, self._slave = os.openpty()
        # No echo and no line editing, whoever opens it; and it stays open when that one leaves.
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._slave)
        self._stuck = False
        self._symlink = symlink
        if symlink is not None:
            try:
                symlink.symlink_to(self.path)
            except OSError as cause:
                self._symlink = None
                self.close()
                raise InputError(
                    "the link cannot be made", where="--symlink", why=str(cause)
                ) from cause

    def read(self) -> bytes:
        """Return what has come, nothing if nothing has."""
        try:
            return os.read(self.master, _READ_BYTES)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        """Send bytes; once nobody took any for two seconds they are lost, as on a wire."""
        while data:
            patience_s = 0.0 if self._stuck else _STUCK_S
            self._stuck = not select.select([], [self.master], [], patience_s)[1]
            if self._stuck:
                return
            data = data[os.write(self.master, data) :]

    def close(self) -> None:
        """Close both sides and remove the link; twice is harmless."""
        if self._symlink is not None and self._symlink.is_symlink():
            self._symlink.unlink()
        self._symlink = None
        for descriptor in (self.master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self.master = self._slave = -1

    def __enter__(self) -> Pty:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(firmware: Firmware, pty: Pty, stop: Stop) -> None:
    """Carry bytes between a pty and a firmware until the end is asked for."""
    while not stop.requested():
        ready, _, _ = select.select([pty.master, stop.reader], [], [])
        if pty.master in ready:
            firmware.feed(pty.read())


@contextmanager
def _stopping() -> Iterator[Stop]:
    """Turn signals into a request that is carried out between two inferences."""
    stop = Stop()
    before = {number: signal.getsignal(number) for number in _STOP}
    for number in _STOP:
        signal.signal(number, lambda *_: stop.request())
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        stop.close()
