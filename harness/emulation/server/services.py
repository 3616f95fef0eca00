"""The gRPC services of a PYNQ.remote board, and simulated time, over one served board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from google.protobuf import wrappers_pb2
from pynq.remote import (
    buffer_pb2,
    buffer_pb2_grpc,
    mmio_pb2,
    mmio_pb2_grpc,
    remote_device_pb2,
    remote_device_pb2_grpc,
)

from harness.emulation.server.board import Buffer, Mapping32
from harness.emulation.server.clients import TooManyError
from harness.emulation.server.files import MAX_FILE_BYTES
from harness.errors import BoardError, BusError, HarnessError, InputError
from harness.virtual_time import METHOD, SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.emulation.server.board import ServedBoard

__all__ = ["add_services"]

_READ_CHUNK = 1 << 20
_WORD = 4
_SIGN = 1 << 31
_MOST_ELAPSE_NS = 10_000_000_000
# pynq 3.1 carries a register in an int32, 4.0 in a uint32.
_SIGNED = (
    mmio_pb2.ReadResponse.DESCRIPTOR.fields_by_name["data"].cpp_type
    == mmio_pb2.ReadResponse.DESCRIPTOR.fields_by_name["data"].CPPTYPE_INT32
)


def add_services(server: grpc.Server, board: ServedBoard) -> list[str]:
    """Add all services to a server; return their names."""
    remote_device_pb2_grpc.add_RemoteDeviceServicer_to_server(_Device(board), server)
    mmio_pb2_grpc.add_MmioServicer_to_server(_Mmio(board), server)
    buffer_pb2_grpc.add_RemoteBufferServicer_to_server(_Buffer(board), server)
    names = [
        module.DESCRIPTOR.services_by_name[name].full_name
        for module, name in (
            (remote_device_pb2, "RemoteDevice"),
            (mmio_pb2, "Mmio"),
            (buffer_pb2, "RemoteBuffer"),
        )
    ]
    try:
        from harness.emulation.server.gpio import add_gpio  # noqa: PLC0415 (pynq 3.1 has none)
    except ImportError:
        pass
    else:
        names.append(add_gpio(server, board))
    _add_time(server, board)
    return [*names, SERVICE]


def refuse(context: Any, code: grpc.StatusCode, text: str) -> NoReturn:
    """End a call with an error that the client raises."""
    context.abort(code, text)
    raise AssertionError  # pragma: no cover (abort raises)


_CODES = {
    BusError: grpc.StatusCode.OUT_OF_RANGE,
    BoardError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    InputError: grpc.StatusCode.FAILED_PRECONDITION,
}


def failed(context: Any, error: HarnessError) -> NoReturn:
    """End a call with one of our errors."""
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), None)
    refuse(context, code or grpc.StatusCode.INTERNAL, str(error))


class _Device(remote_device_pb2_grpc.RemoteDeviceServicer):  # type: ignore[misc]  # pynq is not typed
    """Files, and with them configuration."""

    def __init__(self, board: ServedBoard) -> None:
        self._board = board

    def set_bitstream_attrs(self, request: Any, context: Any) -> Any:
        """Take note; what counts is what is written to fpga_manager."""
        self._board.clients.called(context.peer())
        return remote_device_pb2.SetBitstreamAttrsResponse(status=True)

    def existsfile(self, request: Any, context: Any) -> Any:
        """Say whether a file is there."""
        self._board.clients.called(context.peer())
        exists = self._board.files.exists(request.file_path)
        return remote_device_pb2.ExistsFileResponse(exists=exists)

    def readfile(self, request: Any, context: Any) -> Iterator[Any]:
        """Send a file in pieces."""
        self._board.clients.called(context.peer())
        try:
            with self._board.lock:
                content = self._board.files.read(request.file_path)
        except FileNotFoundError:
            refuse(context, grpc.StatusCode.NOT_FOUND, "File not found")
        for at in range(0, len(content), _READ_CHUNK):
            yield remote_device_pb2.ReadFileResponse(data=content[at : at + _READ_CHUNK])

    def writefile(self, requests: Iterator[Any], context: Any) -> Any:
        """Take a file in pieces and put it in place when the last has come."""
        self._board.clients.called(context.peer())
        path: str | None = None
        content = bytearray()
        for request in requests:
            path = request.file_path if path is None else path
            content += request.data
            if len(content) > MAX_FILE_BYTES:
                refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "File too large")
        if path is None:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "No data")
        try:
            with self._board.lock:
                self._board.files.write(path, bytes(content))
        except HarnessError as error:
            failed(context, error)
        except PermissionError:
            refuse(context, grpc.StatusCode.PERMISSION_DENIED, f"{path!r} may not be written")
        except OSError as error:
            refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, error.strerror or str(error))
        return remote_device_pb2.WriteFileResponse()


class _Mmio(mmio_pb2_grpc.MmioServicer):  # type: ignore[misc]  # pynq is not typed
    """Registers, a word at a time."""

    def __init__(self, board: ServedBoard) -> None:
        self._board = board

    def get_mmio(self, request: Any, context: Any) -> Any:
        """Map a range; that it decodes is found out by the accesses."""
        peer = context.peer()
        self._board.clients.called(peer)
        if request.base_addr % _WORD or request.base_addr + request.length > 1 << 64:
            text = f"{request.length} bytes at {request.base_addr:#x} cannot be mapped"
            return mmio_pb2.GetMmioResponse(status=False, msg=text)
        with self._board.lock:
            try:
                key = self._board.mappings.add(peer, Mapping32(request.base_addr, request.length))
            except TooManyError as error:
                refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        return mmio_pb2.GetMmioResponse(status=True, mmio_id=key)

    def read(self, request: Any, context: Any) -> Any:
        """Return the word at an offset; of a wider read the low one, as a board does."""
        address = self._address(request, _WORD, context)
        try:
            with self._board.lock:
                data = int.from_bytes(self._board.virtual.read(address, _WORD), "little")
        except HarnessError as error:
            failed(context, error)
        if 0 < request.length < _WORD:
            data &= (1 << 8 * request.length) - 1
        if _SIGNED and data & _SIGN:
            data -= 1 << 32
        return mmio_pb2.ReadResponse(status=True, data=data)

    def write(self, request: Any, context: Any) -> Any:
        """Write the first word of what is sent, as a board does."""
        if len(request.data) < _WORD:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"{len(request.data)} bytes")
        address = self._address(request, _WORD, context)
        try:
            with self._board.lock:
                self._board.virtual.write(address, request.data[:_WORD])
        except HarnessError as error:
            failed(context, error)
        return mmio_pb2.WriteResponse(status=True)

    def _address(self, request: Any, size: int, context: Any) -> int:
        self._board.clients.called(context.peer())
        try:
            mapping = self._board.mappings.get(request.mmio_id)
        except KeyError:
            refuse(context, grpc.StatusCode.NOT_FOUND, "MMIO Object not found.")
        if request.offset % _WORD or request.offset + size > mapping.size_bytes:
            refuse(
                context,
                grpc.StatusCode.OUT_OF_RANGE,
                f"offset {request.offset:#x} of {mapping.size_bytes:#x} bytes",
            )
        base: int = mapping.base + request.offset
        return base


class _Buffer(buffer_pb2_grpc.RemoteBufferServicer):  # type: ignore[misc]  # pynq is not typed
    """Contiguous memory. There are no caches, so flush and invalidate have nothing to do."""

    def __init__(self, board: ServedBoard) -> None:
        self._board = board

    def allocate(self, request: Any, context: Any) -> Any:
        """Allocate; without memory the call fails, so that no client can overlook it."""
        peer = context.peer()
        self._board.clients.called(peer)
        if request.size < 0:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"{request.size} bytes")
        with self._board.lock:
            try:
                block = self._board.virtual.memory.allocate(request.size)
            except HarnessError as error:
                failed(context, error)
            self._board.virtual.memory.view(block)[:] = 0  # not what another client left there
            try:
                key = self._board.buffers.add(peer, Buffer(block, request.size))
            except TooManyError as error:
                self._board.virtual.memory.free(block)
                refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, str(error))
        return buffer_pb2.AllocateResponse(buffer_id=key)

    def write(self, requests: Iterator[Any], context: Any) -> Any:
        """Write pieces one after the other from the start; start and end are ignored, as there."""
        at = 0
        for request in requests:
            with self._board.lock:
                held = self._held(request.buffer_id, context)
                if at + len(request.data) > held.size_bytes:
                    refuse(context, grpc.StatusCode.OUT_OF_RANGE, "Buffer overflow.")
                self._board.virtual.memory.write(held.block.address + at, request.data)
            at += len(request.data)
        return buffer_pb2.BufferWriteResponse()

    def read(self, request: Any, context: Any) -> Iterator[Any]:
        """Send the whole buffer in pieces; start and end are ignored, as there."""
        with self._board.lock:
            held = self._held(request.buffer_id, context)
            content = self._board.virtual.memory.read(held.block.address, held.size_bytes)
        for at in range(0, len(content), _READ_CHUNK):
            yield buffer_pb2.BufferReadResponse(data=content[at : at + _READ_CHUNK])

    def freebuffer(self, request: Any, context: Any) -> Any:
        """Give a buffer back."""
        with self._board.lock:
            self._held(request.buffer_id, context)
            self._board.buffers.drop(request.buffer_id)
        return buffer_pb2.FreeBufferResponse()

    def flush(self, request: Any, context: Any) -> Any:
        """Do nothing to a buffer that exists."""
        self._held(request.buffer_id, context)
        return buffer_pb2.FlushResponse()

    def invalidate(self, request: Any, context: Any) -> Any:
        """Do nothing to a buffer that exists."""
        self._held(request.buffer_id, context)
        return buffer_pb2.InvalidateResponse()

    def physical_address(self, request: Any, context: Any) -> Any:
        """Return where the DMA finds it."""
        return buffer_pb2.AddressResponse(
            address=self._held(request.buffer_id, context).block.address
        )

    def virtual_address(self, request: Any, context: Any) -> Any:
        """Return the same address: the virtual board has no other."""
        return buffer_pb2.AddressResponse(
            address=self._held(request.buffer_id, context).block.address
        )

    def cacheable(self, request: Any, context: Any) -> Any:
        """Say that it is not cached."""
        self._held(request.buffer_id, context)
        return buffer_pb2.CacheableResponse(cacheable=False)

    def _held(self, key: str, context: Any) -> Buffer:
        self._board.clients.called(context.peer())
        with self._board.lock:
            try:
                return self._board.buffers.get(key)
            except KeyError:
                refuse(context, grpc.StatusCode.NOT_FOUND, "Buffer not found.")


def _add_time(server: grpc.Server, board: ServedBoard) -> None:
    def elapse(request: Any, context: Any) -> Any:
        board.clients.called(context.peer())
        if request.value > _MOST_ELAPSE_NS:
            refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"{request.value} ns is too long")
        try:
            with board.lock:
                if request.value:
                    board.virtual.elapse(request.value)
                now = board.virtual.now_ns()
        except HarnessError as error:
            failed(context, error)
        return wrappers_pb2.UInt64Value(value=now)

    method = grpc.unary_unary_rpc_method_handler(
        elapse,
        request_deserializer=wrappers_pb2.UInt64Value.FromString,
        response_serializer=wrappers_pb2.UInt64Value.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {METHOD: method}),)
    )
