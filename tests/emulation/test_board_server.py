"""The virtual board as stock PYNQ.remote clients meet it, and as those who mean it harm do."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import wrappers_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from harness.accelerators.golden import golden_rows
from harness.accelerators.model_file import load_model
from harness.bitfile import parse_bit, to_bin
from harness.cli import main
from harness.emulation.server.clients import MOST_PER_CLIENT, connections, endpoint
from harness.errors import InfrastructureError, InputError
from harness.inventory import BOARDS
from harness.overlay import find_overlay
from harness.registers import REGISTER
from harness.targets.serve import check_address, serve
from harness.traffic import open_source
from harness.virtual_time import PATH as ELAPSE
from tests.board_process import BoardProcess
from tests.stock_pynq import remote_device

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pynq import MMIO, Overlay
    from pynq.remote import (
        buffer_pb2,
        buffer_pb2_grpc,
        mmio_pb2,
        mmio_pb2_grpc,
        remote_device_pb2,
        remote_device_pb2_grpc,
    )

pytestmark = [
    pytest.mark.xdist_group("served"),
    pytest.mark.filterwarnings("ignore::UserWarning:pynq"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # pynq's own: it opens a file and leaves closing it to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed file.*_current_metadata:ResourceWarning"),
]

ZCU104 = BOARDS["zcu104"]
MANAGER = "/sys/class/fpga_manager/fpga0/"
CMA = 8 << 20
HAS_SELFTEST = importlib.util.find_spec("pynq.remote.selftest") is not None


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serve(ZCU104, ["jet_tagger", "loopback"], port=0, cma_bytes=CMA) as server:
        yield server.port


@pytest.fixture(scope="module")
def device(port: int) -> Iterator[Any]:
    with remote_device(port) as made:
        yield made


@pytest.fixture
def line(port: int) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel


def image(overlay: str, board: str = "zcu104") -> Path:
    return find_overlay(overlay).image(board).bit


# ---------------------------------------------------------------------- stock clients


@pytest.mark.skipif(not HAS_SELFTEST, reason="this pynq has no self-test of remote boards")
def test_pynqs_own_self_test_passes_in_full(port: int) -> None:
    command = [sys.executable, "-m", "pynq.remote.selftest", "--ip", "127.0.0.1"]
    done = subprocess.run(
        [*command, "--port", str(port), "--bitstream", str(image("loopback"))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "11 passed, 0 failed, 0 skipped" in done.stdout, done.stdout


def test_stock_code_classifies_jets_bit_exactly(device: Any) -> None:
    overlay = find_overlay("jet_tagger")
    assert overlay.model_path is not None
    loaded = Overlay(str(image("jet_tagger")), device=device)
    assert device.read_file(f"{MANAGER}state") == b"operating\n"
    loaded.stream_bench_0.write(0x88, 1)  # packets go through the accelerator
    events = open_source("jets", overlay.input.format, overlay.input.values).generate(8, 3)
    golden = golden_rows(load_model(overlay.model_path), events.raw, overlay.output.width_bits)
    inputs = overlay.input.format.pack(events.raw, overlay.input.width_bits)
    send = device.allocate((inputs.shape[1],), "u1")
    receive = device.allocate((golden.shape[1],), "u1")
    for row, expected in zip(inputs, golden, strict=True):
        send[:] = row
        loaded.axi_dma_0.recvchannel.transfer(receive)
        loaded.axi_dma_0.sendchannel.transfer(send)
        loaded.axi_dma_0.sendchannel.wait()
        loaded.axi_dma_0.recvchannel.wait()
        np.testing.assert_array_equal(np.asarray(receive), expected)
    loaded.stream_bench_0.write(0x88, 0)
    send.freebuffer()
    receive.freebuffer()


def test_identity_and_large_values_over_stock_mmio(device: Any) -> None:
    overlay = Overlay(str(image("loopback")), device=device)
    mmio = MMIO(overlay.ip_dict["stream_bench_0"]["phys_addr"], 0x1000, device=device)
    assert mmio.read(0) == int.from_bytes(b"FILB", "big")
    mmio.write(0x40, 0x8765_4321)
    assert mmio.read(0x40) & 0xFFFF_FFFF == 0x8765_4321


def test_two_designs_of_one_file_name_are_not_mistaken_for_each_other(device: Any) -> None:
    """pynq uploads an image only if no file of its name is there; all of ours are zcu104.bit."""
    for name in ("loopback", "jet_tagger", "loopback"):
        overlay = Overlay(str(image(name)), device=device)
        # pynq 3.1 gives words of 2^31 and above as negative numbers, and its arrays fail on them.
        digest = overlay.stream_bench_0.mmio.read(REGISTER["DIGEST_0"].offset)
        assert f"{int(digest) & 0xFFFF_FFFF:08x}" == find_overlay(name).digest[-8:]


# ---------------------------------------------------------------------- raw calls


def files(line: grpc.Channel) -> Any:
    return remote_device_pb2_grpc.RemoteDeviceStub(line)


def read_file(line: grpc.Channel, path: str) -> bytes:
    request = remote_device_pb2.ReadFileRequest(file_path=path)
    return b"".join(piece.data for piece in files(line).readfile(request, timeout=10))


def write_file(line: grpc.Channel, path: str, content: bytes) -> None:
    messages = [
        remote_device_pb2.WriteFileRequest(file_path=path, data=content[at : at + (1 << 20)])
        for at in range(0, max(1, len(content)), 1 << 20)
    ]
    files(line).writefile(iter(messages), timeout=20)


def refused(code: grpc.StatusCode) -> Any:
    class Refused:
        def __enter__(self) -> None:
            self.caught = pytest.raises(grpc.RpcError)
            self.found = self.caught.__enter__()

        def __exit__(self, *error: Any) -> bool | None:
            done = self.caught.__exit__(*error)
            assert self.found.value.code() is code, self.found.value
            return done

    return Refused()


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "/proc/self/environ", "/root/.bashrc", "/lib/firmware/../../etc/passwd",
        "../../etc/passwd", "/home/xilinx/../../etc/passwd", "/home/xilinx//x",
        "/sys/kernel/notes", "", "/", "\0",
    ],
)  # fmt: skip
def test_no_file_of_the_host_is_to_be_had(line: grpc.Channel, path: str) -> None:
    exists = remote_device_pb2.ExistsFileRequest(file_path=path)
    assert not files(line).existsfile(exists, timeout=5).exists
    with refused(grpc.StatusCode.NOT_FOUND):
        read_file(line, path)
    with refused(grpc.StatusCode.PERMISSION_DENIED):
        write_file(line, path, b"x")


def test_files_of_the_board(line: grpc.Channel) -> None:
    assert b"aarch64" in read_file(line, "/proc/version")
    assert read_file(line, "/proc/device-tree/chosen/pynq_board") == b"ZCU104\0"
    assert float(read_file(line, "/proc/uptime").split()[0]) >= 0
    content = os.urandom(3 << 20)
    write_file(line, "/tmp/some file", content)  # noqa: S108
    assert read_file(line, "/tmp/some file") == content  # noqa: S108
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        files(line).writefile(iter(()), timeout=5)


def test_a_disk_that_is_full_says_so(line: grpc.Channel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.emulation.server.files.MAX_TOTAL_BYTES", 1 << 20)
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        write_file(line, "/tmp/large", bytes(2 << 20))  # noqa: S108


@pytest.mark.parametrize("damage", ["cut", "changed", "swapped", "another board", "empty"])
def test_an_image_that_is_not_the_one_it_was_is_not_configured(
    line: grpc.Channel, damage: str
) -> None:
    good = to_bin(parse_bit(image("loopback").read_bytes()))
    bad = {
        "cut": good[: len(good) // 2],
        "changed": good[:40] + bytes([good[40] ^ 1]) + good[41:],
        "swapped": parse_bit(image("loopback").read_bytes()).payload,
        "another board": to_bin(parse_bit(image("loopback", "kv260").read_bytes())),
        "empty": b"",
    }[damage]
    write_file(line, f"{MANAGER}flags", b"0")
    write_file(line, "/lib/firmware/x.bin", bad)
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        write_file(line, f"{MANAGER}firmware", b"x.bin")
    assert read_file(line, f"{MANAGER}state") == b"write error\n"
    write_file(line, "/lib/firmware/x.bin", good)
    write_file(line, f"{MANAGER}firmware", b"x.bin\n")
    assert read_file(line, f"{MANAGER}state") == b"operating\n"


@pytest.mark.parametrize("name", ["none.bin", "../tmp/x.bin", "", "a\0b"])
def test_no_such_image(line: grpc.Channel, name: str) -> None:
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        write_file(line, f"{MANAGER}firmware", name.encode())
    assert read_file(line, f"{MANAGER}state") == b"firmware request error\n"


def test_a_partial_image_is_refused(line: grpc.Channel) -> None:
    write_file(line, "/lib/firmware/x.bin", to_bin(parse_bit(image("loopback").read_bytes())))
    write_file(line, f"{MANAGER}flags", b"1")
    with refused(grpc.StatusCode.FAILED_PRECONDITION):
        write_file(line, f"{MANAGER}firmware", b"x.bin")
    write_file(line, f"{MANAGER}flags", b"0")


def mapped(line: grpc.Channel, base: int, length: int) -> str:
    request = mmio_pb2.GetMmioRequest(base_addr=base, length=length)
    answer = mmio_pb2_grpc.MmioStub(line).get_mmio(request, timeout=5)
    assert not answer.msg, answer.msg
    return str(answer.mmio_id)


def test_registers_answer_or_say_why_not(line: grpc.Channel) -> None:
    write_file(line, "/lib/firmware/x.bin", to_bin(parse_bit(image("loopback").read_bytes())))
    write_file(line, f"{MANAGER}firmware", b"x.bin")
    stub = mmio_pb2_grpc.MmioStub(line)
    key = mapped(line, 0xA000_0000, 0x1000)
    assert stub.read(mmio_pb2.ReadRequest(mmio_id=key, length=4)).data == 0x4649_4C42
    for offset in (0xFFF, 0x1000, 2, 1 << 40, (1 << 64) - 4):
        with refused(grpc.StatusCode.OUT_OF_RANGE):
            stub.read(mmio_pb2.ReadRequest(mmio_id=key, offset=offset, length=4), timeout=5)
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        stub.write(mmio_pb2.WriteRequest(mmio_id=key, data=b"abc"), timeout=5)
    nowhere = mapped(line, 0x1234_0000, 0x1000)
    with refused(grpc.StatusCode.OUT_OF_RANGE):
        stub.read(mmio_pb2.ReadRequest(mmio_id=nowhere, length=4), timeout=5)
    for unknown in ("0", "", "x" * 100_000):
        with refused(grpc.StatusCode.NOT_FOUND):
            stub.read(mmio_pb2.ReadRequest(mmio_id=unknown, length=4), timeout=5)
    request = mmio_pb2.GetMmioRequest(base_addr=0xA000_0001, length=4)
    assert stub.get_mmio(request, timeout=5).msg


def test_messages_that_are_none(line: grpc.Channel) -> None:
    raw = line.unary_unary("/mmio.Mmio/read", request_serializer=None, response_deserializer=None)
    with pytest.raises(grpc.RpcError):
        raw(b"\xff" * 100, timeout=5)
    with refused(grpc.StatusCode.UNIMPLEMENTED):
        line.unary_unary("/mmio.Mmio/nothing")(b"", timeout=5)


def test_memory_is_limited_and_comes_back(line: grpc.Channel) -> None:
    stub = buffer_pb2_grpc.RemoteBufferStub(line)
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        stub.allocate(buffer_pb2.AllocateRequest(size=2 * CMA), timeout=5)
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        stub.allocate(buffer_pb2.AllocateRequest(size=-1), timeout=5)
    key = stub.allocate(buffer_pb2.AllocateRequest(size=1000), timeout=5).buffer_id
    first = buffer_pb2.BufferReadRequest(buffer_id=key)
    assert b"".join(piece.data for piece in stub.read(first, timeout=5)) == bytes(1000)
    pieces = (b"ab", b"c" * 998)
    write = [buffer_pb2.BufferWriteRequest(buffer_id=key, data=piece) for piece in pieces]
    stub.write(iter(write), timeout=5)
    assert b"".join(piece.data for piece in stub.read(first, timeout=5)) == b"ab" + b"c" * 998
    with refused(grpc.StatusCode.OUT_OF_RANGE):
        stub.write(iter([*write, write[0]]), timeout=5)
    free = buffer_pb2.FreeBufferRequest(buffer_id=key)
    stub.freebuffer(free, timeout=5)
    with refused(grpc.StatusCode.NOT_FOUND):
        stub.freebuffer(free, timeout=5)


def test_a_flood_of_handles_ends(line: grpc.Channel) -> None:
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        for _ in range(MOST_PER_CLIENT + 1):
            mapped(line, 0xA000_0000, 4)


def test_simulated_time_passes_when_asked_for(line: grpc.Channel) -> None:
    call = line.unary_unary(
        ELAPSE,
        request_serializer=wrappers_pb2.UInt64Value.SerializeToString,
        response_deserializer=wrappers_pb2.UInt64Value.FromString,
    )
    first = call(wrappers_pb2.UInt64Value(value=0), timeout=5).value
    assert call(wrappers_pb2.UInt64Value(value=0), timeout=5).value == first
    assert call(wrappers_pb2.UInt64Value(value=5000), timeout=5).value >= first + 5000
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        call(wrappers_pb2.UInt64Value(value=1 << 60), timeout=5)


def test_health_and_reflection(line: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(line)
    for service in ("", "mmio.Mmio", "buffer.RemoteBuffer", "remote_device.RemoteDevice"):
        request = health_pb2.HealthCheckRequest(service=service)
        answer = health.Check(request, timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(line)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    [answer] = list(reflection.ServerReflectionInfo(asked, timeout=5))
    names = {service.name for service in answer.list_services_response.service}
    assert {"mmio.Mmio", "buffer.RemoteBuffer", "remote_device.RemoteDevice"} <= names


def test_gpio_pins(line: grpc.Channel) -> None:
    messages = pytest.importorskip("pynq.remote.gpio_pb2", reason="pynq 3.1 has no such service")
    from pynq.remote import gpio_pb2_grpc

    stub = gpio_pb2_grpc.GpioStub(line)
    path = stub.get_gpio_base_path(messages.GetGpioBasePathRequest(), timeout=5).base_path
    index = int(path.removeprefix("/sys/class/gpio/gpiochip")) + 78
    key = stub.get_gpio(messages.GetGpioRequest(index=index, direction="out"), timeout=5).gpio_id
    stub.write(messages.GpioWriteRequest(gpio_id=key, value=1), timeout=5)
    stub.get_gpio(messages.GetGpioRequest(index=index, direction="in"), timeout=5)
    assert stub.read(messages.GpioReadRequest(gpio_id=key), timeout=5).value == 1
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        stub.write(messages.GpioWriteRequest(gpio_id=key, value=0), timeout=5)
    stub.unexport(messages.GpioUnexportRequest(gpio_id=key), timeout=5)
    with refused(grpc.StatusCode.NOT_FOUND):
        stub.read(messages.GpioReadRequest(gpio_id=key), timeout=5)
    with refused(grpc.StatusCode.OUT_OF_RANGE):
        stub.get_gpio(messages.GetGpioRequest(index=5, direction="in"), timeout=5)


# ---------------------------------------------------------------------- processes

HOLD = """
import sys, time, warnings
warnings.simplefilter("ignore")
from pynq.pl_server.remote_device import RemoteDevice
device = RemoteDevice(0, "127.0.0.1", int(sys.argv[1]))
buffers = [device.allocate((1 << 20,), "u1") for _ in range(4)]
print("held", flush=True)
time.sleep(60)
"""


def free_bytes(line: grpc.Channel) -> int:
    [text] = [item for item in read_file(line, "/proc/meminfo").split(b"\n") if b"CmaFree" in item]
    return int(text.split()[1]) << 10


def test_what_a_killed_client_held_is_freed(line: grpc.Channel, port: int) -> None:
    before = free_bytes(line)
    client = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert client.stdout is not None
    assert client.stdout.readline() == b"held\n"
    assert free_bytes(line) == before - (4 << 20)
    client.send_signal(signal.SIGKILL)
    client.wait()
    client.stdout.close()
    until = time.monotonic() + 10
    while free_bytes(line) < before and time.monotonic() < until:
        time.sleep(0.1)
    assert free_bytes(line) == before


def test_a_client_is_found_among_the_kernels_connections(line: grpc.Channel) -> None:
    read_file(line, "/proc/version")
    alive = connections()
    assert alive is not None
    assert any(address == "127.0.0.1" for address, _ in alive)
    assert endpoint("ipv4:127.0.0.1:5000") == ("127.0.0.1", 5000)
    assert endpoint("ipv6:%5B::1%5D:5000") == ("::1", 5000)
    assert endpoint("ipv6:[::ffff:10.0.0.1]:80") == ("10.0.0.1", 80)


def test_the_command_serves_until_told_to_end_and_ids_are_never_used_twice(tmp_path: Path) -> None:
    with BoardProcess("--overlay", "loopback", folder=tmp_path) as board:
        with grpc.insecure_channel(f"127.0.0.1:{board.port}") as line:
            first = mapped(line, 0xA000_0000, 4)
        board.restart()
        with grpc.insecure_channel(f"127.0.0.1:{board.port}") as line:
            assert mapped(line, 0xA000_0000, 4) != first
            with refused(grpc.StatusCode.NOT_FOUND):
                request = mmio_pb2.ReadRequest(mmio_id=first, length=4)
                mmio_pb2_grpc.MmioStub(line).read(request, timeout=5)
        with pytest.raises(InfrastructureError, match="cannot listen"):
            serve(ZCU104, ["loopback"], port=board.port)
        assert board.end() == 0


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.2.1"])  # noqa: S104
def test_others_are_let_in_only_if_that_is_said(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", "serve", "--overlay", "loopback", "--bind", address]) == 2
    assert "whoever reaches the port owns the board" in capsys.readouterr().err
    check_address(address, insecure=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to load"),
        (["--overlay", "nothing"], "unknown overlay"),
        (["--overlay", "loopback", "--board", "nothing"], "unknown board"),
        (["--overlay", "loopback", "--cma", "much"], "is no size"),
        (["--overlay", "loopback", "--model", "x"], "is no model"),
        (["--overlay", "loopback", "--bind", "here"], "is no IP address"),
        (["--design", "/nowhere/x.bit"], "cannot be read"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", "serve", "--port", "0", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["grpc_health", "grpc_reflection"])
def test_without_what_it_needs_it_says_what_to_install(
    missing: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: None if n == missing else find(n))
    monkeypatch.delitem(sys.modules, missing)
    assert main(["board", "serve", "--overlay", "loopback", "--port", "0"]) == 4
    error = capsys.readouterr().err
    assert f"{missing} is not installed" in error
    assert "fpga-harness[serve]" in error


def test_an_address_that_is_none() -> None:
    with pytest.raises(InputError):
        check_address("example.org", insecure=True)
