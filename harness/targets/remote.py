"""A board behind PYNQ.remote: pynq's own device and messages, over a line that cannot hang.

What pynq's client leaves to luck is checked here: an image is uploaded under a name made of its
content, read back and compared, so that a stale or truncated file of the same name is never run;
fpga_manager's state is looked at; a buffer without an id is a failure; and calls are counted.
"""

from __future__ import annotations

import hashlib
import time
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.bitfile import parse_bit, to_bin
from harness.errors import BoardError, ImageError
from harness.overlay_files import read_bytes
from harness.targets.board_lease import BoardLease
from harness.targets.channel import CALL_S, Line
from harness.targets.pynq import PynqTarget
from harness.virtual_time import PATH

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.inventory import Board
    from harness.overlay import Image
    from harness.targets.base import DeviceMemory, TimeBase

FIRMWARE: Final = "/lib/firmware/"
MANAGER: Final = "/sys/class/fpga_manager/fpga0/"
CHUNK: Final = 2 << 20
_MOST_ELAPSE_NS: Final = 20_000_000
_HASH_DIGITS: Final = 16


def open_device(line: Line) -> Any:
    """Return pynq's device for a board, all of its calls over `line`.

    Raises:
        BoardError: The board does not answer as one.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynq warns that this machine is no board
        from pynq.pl_server import remote_device  # noqa: PLC0415

    class Connected(remote_device.RemoteDevice):  # type: ignore[misc]  # pynq is not typed
        """pynq's remote device with our channel in place of its own."""

        _probe_priority_ = 7968  # unique among pynq's device classes, as it demands

        @classmethod
        def _probe_(cls) -> list[Any]:
            return []

    class Client:
        """What pynq keeps its channel in."""

        def __init__(self, *_: object) -> None:
            self.channel = line.channel

    original = remote_device.GrpcChannel
    remote_device.GrpcChannel = Client
    try:
        with line.speaking():
            return Connected(0, line.where)
    except RuntimeError as error:  # what pynq raises of a board without /proc/version
        raise BoardError("is no PYNQ board", where=line.where, why=str(error)) from error
    finally:
        remote_device.GrpcChannel = original


class RemoteTarget(PynqTarget):
    """A board reached over gRPC.

    Args:
        host: Name or address.
        port: TCP port.
        board: Which kind of board it must be.
        purpose: What for, for others who want the board.
        wait_s: How long to wait for another who has it.
        progress: Told who is waited for.
        call_s: Deadline of a short call.
        leased: Leave a note on the board that it is in use; not where it is only looked at.

    Raises:
        BoardError: Nobody answers, it is another kind of board, or somebody else has it.
    """

    prefers_dma = True

    def __init__(
        self,
        host: str,
        port: int,
        board: Board,
        purpose: str = "",
        *,
        wait_s: float = 0.0,
        progress: Callable[[str], None] = lambda _: None,
        call_s: float = CALL_S,
        leased: bool = True,
    ) -> None:
        self.name = f"pynq://{host}:{port}"
        self._line = Line(host, port, call_s)
        try:
            super().__init__(open_device(self._line), board)
            self._check_board()
            self._simulated = self._ask_for_time()
            self.time_base: TimeBase = "simulated fabric" if self._simulated else "fabric"
            self.poll_ns = 0 if self._simulated else 1_000_000
            self.survives_bus_errors = self._simulated
            self._note = (
                BoardLease(
                    self._read_file, self._write_file, self.name, purpose, wait_s, progress,
                    self._line.give_up,
                )
                if leased
                else None
            )  # fmt: skip
        except BaseException:
            self._line.close()
            raise

    @property
    def messages(self) -> int:
        """Remote calls so far."""
        return self._line.total

    # ------------------------------------------------------------------ time

    def now_ns(self) -> int:
        """Return simulated time of a virtual board, else the host's monotonic clock."""
        return self._elapse(0) if self._simulated else time.monotonic_ns()

    def elapse(self, ns: int) -> None:
        """Let board time pass."""
        if not self._simulated:
            time.sleep(ns / 1e9)
            return
        for first in range(0, ns, _MOST_ELAPSE_NS):
            self._elapse(min(_MOST_ELAPSE_NS, ns - first))

    def _ask_for_time(self) -> bool:
        """Whether the board is a virtual one, which tells its time."""
        import grpc  # noqa: PLC0415

        try:
            self._call_elapse(0)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                return False
            with self._line.speaking("the question for its time"):
                raise
        return True

    def _elapse(self, ns: int) -> int:
        with self._line.speaking(f"{ns} ns of simulated time"):
            return self._call_elapse(ns)

    def _call_elapse(self, ns: int) -> int:
        from google.protobuf import wrappers_pb2  # noqa: PLC0415

        call = self._line.channel.unary_unary(
            PATH,
            request_serializer=wrappers_pb2.UInt64Value.SerializeToString,
            response_deserializer=wrappers_pb2.UInt64Value.FromString,
        )
        return int(call(wrappers_pb2.UInt64Value(value=ns)).value)

    # ------------------------------------------------------------------ configuration

    def _check_board(self) -> None:
        found = str(self._device.name).strip().lower()
        if found not in {"unknown", "", self._board.name}:
            raise BoardError(
                f"is a {found!r}, not a {self._board.name!r}",
                where=self.name,
                why="as /proc/device-tree/chosen/pynq_board says",
                hint=f"use --board {found}",
            )
        if self._device.arch != self._board.arch:
            raise BoardError(
                f"its processor is {self._device.arch}, a {self._board.name}'s {self._board.arch}",
                where=self.name,
                hint="choose the board with --board, or in boards.toml",
            )

    def _configure(self, image: Image) -> None:
        content = to_bin(parse_bit(read_bytes(image.bit, ImageError)))
        digest = hashlib.sha256(content).hexdigest()
        name = f"{image.bit.stem}-{digest[:_HASH_DIGITS]}.bin"
        path = FIRMWARE + name
        if self._read_if_there(path) != content:
            self._write_file(path, content)
            found = self._read_if_there(path) or b""
            if found != content:
                raise BoardError(
                    "the uploaded image is not what was sent",
                    where=f"{self.name}, {path}",
                    why=f"{len(found)} of {len(content)} bytes, SHA-256 "
                    f"{hashlib.sha256(found).hexdigest()[:12]} instead of {digest[:12]}",
                    hint="is the board's disk full?",
                )
        self._write_file(f"{MANAGER}flags", b"0")
        self._write_file(f"{MANAGER}firmware", name.encode())

    def _state(self) -> str:
        return self._read_file(f"{MANAGER}state").decode("utf-8", "replace").strip()

    def _read_if_there(self, path: str) -> bytes | None:
        """Return a file of the board; None if there is no such file."""
        import grpc  # noqa: PLC0415

        with self._line.speaking(f"reading {path}"):
            try:
                return bytes(self._device.read_file(path))
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    raise
                return None

    def _read_file(self, path: str) -> bytes:
        with self._line.speaking(f"reading {path}"):
            return bytes(self._device.read_file(path))

    def _write_file(self, path: str, content: bytes) -> None:
        with self._line.speaking(f"writing {path}"):
            self._device.write_file(path, content)

    # ------------------------------------------------------------------ registers and memory

    def read(self, address: int, words: int) -> NDArray[np.uint32]:
        """Read words of the design, one call each."""
        with self._line.speaking(f"reading {address:#010x}"):
            return super().read(address, words)

    def write(self, address: int, words: NDArray[np.uint32]) -> None:
        """Write words of the design, one call each."""
        with self._line.speaking(f"writing {address:#010x}"):
            super().write(address, words)

    def set_clock(self, hz: float) -> float:
        """Set PL clock 0 through the registers of the processing system."""
        with self._line.speaking("setting the clock"):
            return super().set_clock(hz)

    def _allocate(self, size_bytes: int) -> DeviceMemory:
        return _RemoteMemory(self._line, self._device, size_bytes)

    def clock_hz(self) -> float | None:
        """Return PL clock 0 as the processing system's registers have it."""
        with self._line.speaking("reading the clock's registers"):
            return super().clock_hz()

    # ------------------------------------------------------------------ facts

    def read_text(self, path: str) -> str | None:
        """Return a file of the board."""
        found = self._read_if_there(path)
        return None if found is None else found.decode("utf-8", "replace").strip("\0\n ")

    def facts(self) -> dict[str, str]:
        """Return what identifies the board, and how many calls it took so far, by kind."""
        calls = ", ".join(f"{name} {count}" for name, count in sorted(self._line.calls.items()))
        return {
            **super().facts(),
            "address": self.name,
            "kernel": self._read_file("/proc/version").decode("utf-8", "replace").strip(),
            "remote_calls": str(self._line.total),
            "remote_calls_by_kind": calls,
        }

    def close(self) -> None:
        """Free memory, give the board back, hang up."""
        super().close()
        if self._note is not None:
            self._note.release()
        self._line.close()


class _RemoteMemory:
    """Memory of a remote board, with a copy here.

    Not cached where the board allows that, so that a transfer costs one call, not two.
    """

    def __init__(self, line: Line, device: Any, size_bytes: int) -> None:
        from pynq.remote import buffer_pb2  # noqa: PLC0415

        self._line, self._messages = line, buffer_pb2
        self._stub = device._stub["buffer"]  # noqa: SLF001 (pynq offers no other way)
        self.data: NDArray[np.uint8] = np.zeros(size_bytes, np.uint8)
        self._open = False
        with line.speaking(f"allocation of {size_bytes} bytes"):
            answer = self._stub.allocate(
                buffer_pb2.AllocateRequest(size=size_bytes, dtype="|u1", cacheable=False)
            )
            # The original server answers OK when it has no memory, only without an id.
            if not answer.buffer_id:
                raise BoardError(
                    f"cannot allocate {size_bytes} bytes",
                    where=line.where,
                    why=answer.msg or "it gave no buffer",
                    hint="free buffers on the board, or use smaller ones",
                )
            self._id = answer.buffer_id
            self._open = True
            request = buffer_pb2.AddressRequest(buffer_id=self._id)
            self.address = int(self._stub.physical_address(request).address)
            asked = buffer_pb2.CacheableRequest(buffer_id=self._id)
            self._cached = bool(self._stub.cacheable(asked).cacheable)

    def flush(self) -> None:
        """Send the copy to the board."""
        content = self.data.tobytes()
        messages = (
            self._messages.BufferWriteRequest(buffer_id=self._id, data=content[at : at + CHUNK])
            for at in range(0, len(content), CHUNK)
        )
        with self._line.speaking(f"sending {len(content)} bytes"):
            self._check(self._stub.write(messages))
            if self._cached:
                self._check(self._stub.flush(self._messages.FlushRequest(buffer_id=self._id)))

    def invalidate(self) -> None:
        """Fetch the board's content into the copy."""
        with self._line.speaking(f"fetching {self.data.size} bytes"):
            if self._cached:
                request = self._messages.InvalidateRequest(buffer_id=self._id)
                self._check(self._stub.invalidate(request))
            request = self._messages.BufferReadRequest(buffer_id=self._id)
            content = b"".join(answer.data for answer in self._stub.read(request))
        if len(content) != self.data.size:
            raise BoardError(
                f"sent {len(content)} bytes of a buffer of {self.data.size}", where=self._line.where
            )
        self.data[:] = np.frombuffer(content, np.uint8)

    def close(self) -> None:
        """Free the board's memory."""
        if self._open:
            self._open = False
            with self._line.speaking("freeing a buffer"):
                self._stub.freebuffer(self._messages.FreeBufferRequest(buffer_id=self._id))

    def _check(self, answer: Any) -> None:
        # The original server reports such failures in a message, with status OK.
        if answer.msg:
            raise BoardError(
                "the board refused a transfer", where=self._line.where, why=str(answer.msg)
            )
