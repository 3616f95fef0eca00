"""Start and stop a served board."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from harness.emulation.server.services import add_services
from harness.errors import InfrastructureError

if TYPE_CHECKING:
    from harness.emulation.server.board import ServedBoard

__all__ = ["BoardServer"]

WORKERS: Final = 8
_MESSAGE_BYTES: Final = 4 << 20
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),  # a second server on the same port is an error, not a lottery
    # A client whose machine has lost power never says goodbye: ask, and close if nobody answers.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)


class BoardServer:
    """A gRPC server of one board. Use as a context manager.

    Args:
        board: What to serve; closed with the server.
        address: Address to listen at.
        port: Port to listen at; 0 for any that is free.

    Raises:
        InfrastructureError: The port is taken.
    """

    def __init__(self, board: ServedBoard, address: str, port: int) -> None:
        self._board = board
        self._server = grpc.server(ThreadPoolExecutor(max_workers=WORKERS), options=_OPTIONS)
        names = add_services(self._server, board)
        status = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(status, self._server)
        for name in ("", *names):
            status.set(name, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection(
            [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        host = f"[{address}]" if ":" in address else address
        try:
            self.port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            self.port, why = 0, str(error)
        else:
            why = "address in use?"
        if not self.port:
            board.close()
            raise InfrastructureError(
                f"cannot listen at port {port}",
                where=address,
                why=why,
                hint="is another board served there? choose with --port, 0 for any",
            )
        self._server.start()

    def close(self) -> None:
        """End all calls and free the board; twice is harmless."""
        self._server.stop(grace=1).wait(timeout=5)
        self._board.close()

    def __enter__(self) -> BoardServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
