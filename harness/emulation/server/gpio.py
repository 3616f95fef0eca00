"""The GPIO service: pins of the processing system that lead nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc
from pynq.remote import gpio_pb2, gpio_pb2_grpc

if TYPE_CHECKING:
    from harness.emulation.server.board import ServedBoard

__all__ = ["add_gpio"]

# First number and count of the processing system's pins in Linux's sysfs: UG1085, UG585.
PINS: Final = {"zynq_ultra_ps_e": (338, 174), "processing_system7": (906, 118)}
_DIRECTIONS: Final = ("in", "out")


def add_gpio(server: grpc.Server, board: ServedBoard) -> str:
    """Add the service to a server; return its name."""
    gpio_pb2_grpc.add_GpioServicer_to_server(_Gpio(board), server)
    name: str = gpio_pb2.DESCRIPTOR.services_by_name["Gpio"].full_name
    return name


class _Gpio(gpio_pb2_grpc.GpioServicer):  # type: ignore[misc]  # pynq is not typed
    """An output holds what is written; an input reads what was last driven there, else zero."""

    def __init__(self, board: ServedBoard) -> None:
        self._board = board
        self._pins = board.pins
        self._base, self._count = PINS[board.virtual.board.family]

    def get_gpio(self, request: Any, context: Any) -> Any:
        """Export a pin."""
        self._board.clients.called(context.peer())
        if not self._base <= request.index < self._base + self._count:
            last = self._base + self._count - 1
            context.abort(
                grpc.StatusCode.OUT_OF_RANGE, f"pin {request.index}, not {self._base}..{last}"
            )
        if request.direction not in _DIRECTIONS:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"direction {request.direction!r}, not in or out"
            )
        with self._board.lock:
            _, value = self._pins.get(request.index, ("", 0))
            self._pins[request.index] = (request.direction, value)
        return gpio_pb2.GetGpioResponse(gpio_id=str(request.index))

    def read(self, request: Any, context: Any) -> Any:
        """Return a pin's level."""
        return gpio_pb2.GpioReadResponse(value=self._pin(request.gpio_id, context)[2])

    def write(self, request: Any, context: Any) -> Any:
        """Set an output."""
        index, direction, _ = self._pin(request.gpio_id, context)
        if direction != "out" or request.value not in {0, 1}:
            context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"value {request.value} for direction {direction}"
            )
        with self._board.lock:
            self._pins[index] = (direction, request.value)
        return gpio_pb2.GpioWriteResponse()

    def unexport(self, request: Any, context: Any) -> Any:
        """Give a pin back."""
        index = self._pin(request.gpio_id, context)[0]
        with self._board.lock:
            self._pins.pop(index, None)
        return gpio_pb2.GpioUnexportResponse()

    def is_exported(self, request: Any, context: Any) -> Any:
        """Say whether a pin is exported."""
        exported = request.gpio_id.isdigit() and int(request.gpio_id) in self._pins
        return gpio_pb2.GpioIsExportedResponse(is_exported=exported)

    def get_gpio_base_path(self, request: Any, context: Any) -> Any:
        """Return the folder of the processing system's pins."""
        return gpio_pb2.GetGpioBasePathResponse(base_path=f"/sys/class/gpio/gpiochip{self._base}")

    def get_gpio_npins(self, request: Any, context: Any) -> Any:
        """Return how many pins the processing system has."""
        return gpio_pb2.GetGpioNPinsResponse(npins=self._count)

    def _pin(self, key: str, context: Any) -> tuple[int, str, int]:
        self._board.clients.called(context.peer())
        with self._board.lock:
            if key.isdigit() and int(key) in self._pins:
                return (int(key), *self._pins[int(key)])
        context.abort(grpc.StatusCode.NOT_FOUND, "GPIO not found.")
        raise AssertionError  # pragma: no cover (abort raises)
