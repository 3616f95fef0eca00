"""The line to a PYNQ.remote board: every call has a deadline, is counted, and can be named.

pynq's own client waits for ever, and does not notice that a server was restarted and gives its ids
to somebody else. Here a connection that was lost once is never used again.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import grpc

from harness.errors import (
    BoardError,
    BusError,
    DeadlineError,
    HarnessError,
    InfrastructureError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Line"]

CONNECT_S: Final = 5.0
CALL_S: Final = 10.0
# Calls that move whole files or buffers, or configure the fabric.
LONG_S: Final = 60.0
_LONG: Final = ("writefile", "readfile", "write", "read", "Elapse")
_LONG_SERVICES: Final = ("/remote_device.RemoteDevice/", "/buffer.RemoteBuffer/", "/harness.")
_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.enable_retries", 0),  # a write that is sent again is applied twice
)
_BUS: Final = (grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.INVALID_ARGUMENT)


@dataclass(frozen=True, slots=True)
class _Details:
    """What gRPC wants of a call's details; its own class is private."""

    method: Any
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any


class Line(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]  # grpc is not typed
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
):
    """A channel to one board.

    Args:
        host: Name or address.
        port: TCP port.
        call_s: Deadline of a short call.

    Raises:
        BoardError: Nobody answers within `CONNECT_S`.
    """

    def __init__(self, host: str, port: int, call_s: float = CALL_S) -> None:
        self.where = f"pynq://{host}:{port}"
        self.calls: Counter[str] = Counter()
        self._call_s = call_s
        self._intents = threading.local()  # of each thread that speaks over the line
        self._lost = ""
        self._given_up: HarnessError | None = None
        self._ready = threading.Event()
        name = f"[{host}]" if ":" in host else host
        self._channel = grpc.insecure_channel(f"{name}:{port}", options=_OPTIONS)
        self._channel.subscribe(self._state_changed, try_to_connect=True)
        if not self._ready.wait(CONNECT_S):
            self._channel.close()
            raise BoardError(
                "nobody answers",
                where=self.where,
                why=f"no connection within {CONNECT_S:g} s",
                hint="is the board on, in the network, and pynq-remote running there?",
            )
        self.channel = grpc.intercept_channel(self._channel, self)

    @property
    def total(self) -> int:
        """Calls so far."""
        return sum(self.calls.values())

    def close(self) -> None:
        """Hang up; twice is harmless."""
        self._lost = self._lost or "it was closed"
        self._channel.close()

    def give_up(self, error: HarnessError) -> None:
        """Raise `error` at whatever is attempted from now on."""
        if not self._lost:
            self._given_up = error

    def _state_changed(self, state: grpc.ChannelConnectivity) -> None:
        if state is grpc.ChannelConnectivity.READY:
            self._ready.set()
        elif self._ready.is_set() and not self._lost:
            self._lost = f"the connection went {state.name.lower().replace('_', ' ')}"

    @contextmanager
    def speaking(self, intent: str = "") -> Iterator[None]:
        """Turn what gRPC raises into errors that name what was attempted.

        Args:
            intent: What is about to be done; the name of the call if empty.

        Raises:
            BoardError: The connection was lost, now or before, or the board refused.
            BusError: The board answered an access with an error.
            DeadlineError: The board did not answer in time.
        """
        self._check()
        self._intents.now = intent
        try:
            yield
        except grpc.RpcError as error:
            raise self._translated(error) from error

    @property
    def _intent(self) -> str:
        return str(getattr(self._intents, "now", ""))

    def _check(self) -> None:
        if self._given_up is not None:
            raise self._given_up
        if self._lost:
            raise self._gone()

    def _gone(self) -> BoardError:
        return BoardError(
            "the connection to the board was lost",
            where=self.where,
            why=f"{self._lost}, at {self._intent or 'rest'}; its ids may name other things now",
            hint="open the target anew: the overlay is loaded again, and the run repeated",
        )

    def _translated(self, error: grpc.RpcError) -> InfrastructureError:
        code, text = error.code(), error.details() or ""
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._lost = "it stopped answering"
            return DeadlineError(
                f"the board stopped answering at {self._intent}",
                where=self.where,
                why=f"no answer within the deadline ({self._call_s:g} s, {LONG_S:g} s for files)",
                hint="is the fabric clock running, and the network up? it may need a power cycle",
            )
        if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}:
            self._lost = self._lost or f"{code.name.lower()}: {text}"
            return self._gone()
        kind = BusError if code in _BUS else BoardError
        return kind(
            f"the board refused {self._intent}",
            where=self.where,
            why=f"{code.name.lower().replace('_', ' ')}: {text}",
        )

    # ------------------------------------------------------------------ interceptors

    def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        """Add deadline and count to a plain call."""
        return continuation(self._noted(details), request)

    def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        """Add deadline and count to a call that is answered in pieces."""
        return continuation(self._noted(details), request)

    def intercept_stream_unary(self, continuation: Any, details: Any, requests: Any) -> Any:
        """Add deadline and count to a call that is asked in pieces."""
        return continuation(self._noted(details), requests)

    def _noted(self, details: Any) -> _Details:
        self._check()
        method = details.method.decode() if isinstance(details.method, bytes) else details.method
        service, _, name = method.rpartition("/")
        self.calls[f"{service.rpartition('.')[2]}.{name}"] += 1
        self._intents.now = self._intent or f"{service.lstrip('/')}.{name}"
        long = name in _LONG and f"{service}/".startswith(_LONG_SERVICES)
        return _Details(
            details.method,
            LONG_S if long else self._call_s,
            details.metadata,
            details.credentials,
            getattr(details, "wait_for_ready", None),
            getattr(details, "compression", None),
        )
