"""What happens to serial lines: each case ends in time, names its cause, and the next run works."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from harness import session
from harness.errors import BoardError, BusError, DeadlineError, ImageError, InputError
from harness.fabric.plan import RunPlan
from harness.fabric.samples import Samples
from harness.inventory import BOARDS
from harness.overlay import find_overlay
from harness.registers import REGISTER
from harness.targets import Target, open_target, uart_client
from harness.targets.uart import UartTarget
from harness.traffic import Schedule
from harness.uart_protocol import Frame, Kind, Splitter, decode
from tests.emulation.uart_rig import ARTY, Rig, UnplugError

pytestmark = pytest.mark.xdist_group("uart")

SCRATCH = REGISTER["SCRATCH"].offset
OVERLAY = find_overlay("dial")
IMAGE = OVERLAY.image("arty-a7")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    rig = Rig("dial", tmp_path_factory.mktemp("uart") / "ttyARTY")
    yield rig
    rig.close()


@pytest.fixture
def rig(made: Rig) -> Iterator[Rig]:
    made.honest()
    made.plug()
    yield made
    made.unplug()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a request up after a second."""
    monkeypatch.setattr(uart_client, "BUDGET_S", 1.0)


def opened(rig: Rig) -> UartTarget:
    target = open_target(rig.target, ARTY)
    assert isinstance(target, UartTarget)
    target.load(IMAGE)
    return target


def works(target: Target) -> None:
    value = random.getrandbits(32)
    target.write(SCRATCH, np.array([value], np.uint32))
    assert target.read(SCRATCH, 1).tolist() == [value]


def run(target: Target, events: int = 400) -> tuple[Samples, tuple[str, ...]]:
    """Play events at a rate that drops some, and return what the fabric kept."""
    found = session.start(target, OVERLAY, IMAGE, 100e6)
    bench = found.bench
    bench.reset()
    for offset, value in ((0, 10), (4, 20), (8, 0x7), (12, 5)):
        bench.set_accelerator(offset, value)
    rows = np.arange(4 * 64, dtype=np.uint8).reshape(64, 4)
    bench.load_events(rows)
    bench.load_golden(rows)
    schedule = Schedule.bernoulli(12_000_000, 100_000_000, 3, events)
    bench.arm(RunPlan(schedule, 64, 1, 1, 4, 60))
    assert bench.play(int(schedule.expected_cycles() * 10))
    samples = bench.read_out(64)
    return samples, samples.counters.faults


def same(first: Samples, second: Samples) -> bool:
    return first.counters == second.counters and all(
        np.array_equal(getattr(first, kind).counts, getattr(second, kind).counts)
        for kind in ("wait", "service", "total")
    )


@pytest.fixture(scope="module")
def clean(made: Rig) -> Samples:
    """What a run gives on a line without faults."""
    made.honest()
    made.plug()
    with opened(made) as target:
        samples, faults = run(target)
    made.unplug()
    assert faults == ()
    assert samples.counters.dropped > 0
    return samples


def test_the_board_says_that_it_is_virtual_and_what_time_it_is(rig: Rig) -> None:
    with opened(rig) as target:
        assert target.time_base == "simulated fabric"
        before = target.now_ns()
        assert target.now_ns() == before  # looking at the clock takes no time
        time.sleep(0.05)
        assert target.now_ns() == before  # nor does the world's time
        target.elapse(2_500_001)
        assert 2_500_001 <= target.now_ns() - before <= 2_500_030
        target.read(0, 1)
        assert target.now_ns() > before + 2_500_030
        assert target.set_clock(200e6) == 100e6
        facts = target.facts()
        assert (facts["board"], facts["retries"], facts["damaged_frames"]) == ("arty-a7", "0", "0")


def test_a_real_board_does_not_know_elapse(rig: Rig) -> None:
    """The bridge itself, without the process that answers for it, is taken for a board."""
    line = rig.board._line

    def straight(data: bytes) -> bytes:
        return line.exchange(data)

    rig.board.feed, kept = straight, rig.board.feed  # type: ignore[method-assign]
    try:
        with opened(rig) as target:
            assert target.time_base == "fabric"
            before = target.now_ns()
            target.elapse(20_000_000)
            assert target.now_ns() >= before + 20_000_000
            works(target)
    finally:
        rig.board.feed = kept  # type: ignore[method-assign]


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_either_way_changes_no_count(rig: Rig, clean: Samples, seed: int) -> None:
    from harness.targets.virtual_uart import Noise

    inward, outward = Noise(1e-3, seed), Noise(1e-3, seed + 100)
    rig.inward, rig.outward = inward, outward
    with opened(rig) as target:
        samples, faults = run(target)
        facts = target.facts()
    assert min(inward.events, outward.events) > 0
    assert int(facts["retries"]) > 0
    assert faults == ()
    assert same(samples, clean)


def test_lost_answers_make_nothing_happen_twice(rig: Rig, clean: Samples) -> None:
    """Were START or CLEAR done twice, the fabric would raise its fault bad_command."""
    count = 0

    def lose_every_third(data: bytes) -> bytes:
        nonlocal count
        count += bool(data)
        return b"" if count % 3 == 0 else data

    with opened(rig) as target:
        rig.outward = lose_every_third
        samples, faults = run(target, 400)
        assert int(target.facts()["retries"]) > 10
    assert faults == ()
    assert same(samples, clean)


def test_lost_and_cut_requests_are_sent_again(rig: Rig, clean: Samples) -> None:
    count = 0

    def cut(data: bytes) -> bytes:
        nonlocal count
        count += 1
        return data[: len(data) // 2] if count % 4 == 0 else data if count % 7 else b""

    with opened(rig) as target:
        rig.inward = cut
        samples, faults = run(target)
        assert int(target.facts()["retries"]) > 10
    assert faults == ()
    assert same(samples, clean)


def test_a_slow_board_is_not_asked_ever_more_often(rig: Rig) -> None:
    def slow(data: bytes) -> bytes:
        time.sleep(0.6)
        return data

    with opened(rig) as target:
        retries = []
        rig.inward = slow
        for _ in range(6):
            before = int(target.facts()["retries"])
            target.read(SCRATCH, 1)
            retries.append(int(target.facts()["retries"]) - before)
    assert retries[0] > 0
    assert sum(retries) <= 6
    assert retries[-3:] == [0, 0, 0]


def test_a_boot_log_before_the_first_answer_is_passed_over(rig: Rig) -> None:
    log = b"\r\nU-Boot 2024.01\0 FPGA bridge\xff\xfe \x00\x05abcd\x00 ready.\r\n" * 8
    told = False

    def boot(data: bytes) -> bytes:
        nonlocal told
        first, told = not told, True
        return log + data if first else data

    rig.outward = boot
    with opened(rig) as target:
        works(target)


def test_pulling_the_plug_in_a_frame_and_plugging_in_again(rig: Rig, clean: Samples) -> None:
    passed = 0

    def pull(data: bytes) -> bytes:
        nonlocal passed
        passed += len(data)
        if passed > 700:
            raise UnplugError
        return data

    with opened(rig) as target:
        rig.outward = pull
        began = time.monotonic()
        with pytest.raises(BoardError, match=r"ttyARTY: the port vanished.*plug it in") as first:
            run(target)
        assert time.monotonic() - began < 12
        began = time.monotonic()
        with pytest.raises(BoardError) as second:  # and stays broken, at once
            target.read(0, 1)
        assert second.value is first.value
        assert time.monotonic() - began < 0.1
    rig.unplug()
    with pytest.raises(BoardError, match="there is no such port"):
        opened(rig)
    rig.honest()
    rig.plug()
    with opened(rig) as target:
        samples, faults = run(target)
    assert faults == ()
    assert same(samples, clean)


def test_a_second_harness_is_told_who_has_the_port(rig: Rig) -> None:
    code = f"from harness.cli import main; main(['run', 'smoke/dial', '--target', '{rig.target}',"
    code += "'--board', 'arty-a7', '--set', 'run.clock=100 MHz', '--set', 'arrival.rate=8 MHz'])"
    with opened(rig) as target:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
        )
        assert time.monotonic() - began < 30
        (line,) = [text for text in done.stderr.splitlines() if "error" in text]
        assert f"{rig.link}: the board is in use; held by " in line
        assert f", process {os.getpid()}, since " in line
        works(target)
    with opened(rig) as target:
        works(target)


def test_a_program_that_was_there_first_is_noticed(rig: Rig) -> None:
    code = (
        f"import os, time; os.open({str(rig.link)!r}, os.O_RDWR | os.O_NOCTTY); print(1, flush=1)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{code}; time.sleep(60)"], stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            with pytest.raises(
                BoardError, match=rf"the port is taken; open in process {other.pid}"
            ):
                opened(rig)
        finally:
            other.kill()
    with opened(rig) as target:
        works(target)


@pytest.mark.usefixtures("hasty")
def test_a_program_that_came_later_is_named_when_answers_stay_away(rig: Rig) -> None:
    with opened(rig) as target:
        thief = os.open(rig.link, os.O_RDWR | os.O_NOCTTY)
        try:
            rig.outward = lambda data: b""
            message = rf"opened by another process; no answer to READ.*process {os.getpid()} "
            with pytest.raises(BoardError, match=message):
                target.read(SCRATCH, 1)
        finally:
            os.close(thief)
    rig.honest()
    with opened(rig) as target:
        works(target)


@pytest.mark.usefixtures("hasty")
def test_silence_ends_at_the_deadline(rig: Rig) -> None:
    with opened(rig) as target:
        rig.outward = lambda data: b""
        began = time.monotonic()
        with pytest.raises(DeadlineError, match=r"no answer to WRITE; sent \d times in 1\.\d s"):
            works(target)
        assert time.monotonic() - began < 3
    rig.honest()
    with opened(rig) as target:
        works(target)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("answer", "says"),
    [(b"", "nothing came; is the board on"), (b"\xf0\x80\0", "bytes came, no true frame")],
)
def test_no_bridge_is_no_board(rig: Rig, answer: bytes, says: str) -> None:
    rig.outward = lambda data: answer
    with pytest.raises(BoardError, match=rf"no bridge answers; .*{says}"):
        opened(rig)
    rig.honest()
    with opened(rig) as target:
        works(target)


def test_a_bridge_of_another_version_is_refused_by_number(rig: Rig) -> None:
    def newer(data: bytes) -> bytes:
        frames = [decode(piece) for piece in Splitter().feed(data)]
        return b"".join(
            Frame(Kind.ERROR, frame.number, bytes([1, 0, 0, 0, 0, 0, 0, 0]), version=9).encode()
            for frame in frames
            if frame is not None
        )

    rig.outward = newer
    with pytest.raises(BoardError, match="protocol version 9 is not spoken here"):
        opened(rig)


def test_a_board_that_starts_anew_is_noticed(rig: Rig) -> None:
    with opened(rig) as target:
        works(target)
        rig.board._line.reset()
        with pytest.raises(BoardError, match="the board has started anew"):
            target.read(SCRATCH, 1)
    with opened(rig) as target:
        works(target)


def test_bad_accesses_name_their_address_and_do_no_harm(rig: Rig) -> None:
    with opened(rig) as target:
        with pytest.raises(BusError, match=r"read of 0x000001cc failed; answered with SLVERR"):
            target.read(REGISTER["TOTAL_OVERFLOW"].offset, 8)
        for address, words in ((1 << 22, 1), ((1 << 22) - 4, 2), (-4, 1), (2, 1)):
            with pytest.raises(BusError, match="lie outside the design"):
                target.read(address, words)
            with pytest.raises(BusError, match="lie outside the design"):
                target.write(address, np.zeros(words, np.uint32))
        works(target)
    with open_target(rig.target, ARTY) as unloaded, pytest.raises(BusError, match="load the over"):
        unloaded.read(0, 1)


def test_an_image_of_another_board_is_refused(rig: Rig) -> None:
    with opened(rig) as target, pytest.raises(ImageError, match="is an image for basys3"):
        target.load(OVERLAY.image("basys3"))


def test_names_that_are_no_ports(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for spec, error, says in (
        (f"uart://{tmp_path}/none", BoardError, "there is no such port"),
        (f"uart://{file}", BoardError, "is not a serial port"),
        ("uart:///dev/null", BoardError, "cannot be opened"),
        ("uart://", InputError, "the device file needs its full path"),
        ("uart:///dev/ttyUSB1?baud=fast", InputError, "only .baud=NUMBER is known"),
        ("uart:///dev/ttyUSB1?baud=0", InputError, "baud is 1 to"),
    ):
        with pytest.raises(error, match=says):
            open_target(spec, ARTY)
    with pytest.raises(InputError, match="no bridge behind a serial line"):
        open_target("uart:///dev/ttyUSB1", BOARDS["zcu104"])
    with pytest.raises(InputError, match=re.escape("--target uart:///dev/ttyUSB1")):
        open_target("virtual", ARTY)


def test_the_command_serves_a_port_until_it_is_told_to_end(tmp_path: Path) -> None:
    link = tmp_path / "ttyARTY"
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "harness",
            "board",
            "uart",
            "--overlay",
            "dial",
            "--link",
            str(link),
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line == f"arty-a7 with dial: --target uart://{link} --board arty-a7\n"
        with open_target(f"uart://{link}", ARTY) as target:
            target.load(IMAGE)
            assert session.start(target, OVERLAY, IMAGE, 100e6).clock.measured_hz == 100e6
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
            with pytest.raises(BoardError, match="the port vanished"):
                target.read(0, 1)
    assert not link.is_symlink()
