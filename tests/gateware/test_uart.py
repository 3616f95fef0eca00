"""uart_bridge, bit by bit on its pins, in front of a slave with everything a bridge can meet."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.emulation.build import build
from harness.emulation.uart_line import UartLine, line_recipe
from harness.overlay import find_overlay
from harness.uart_protocol import REPLY, Cause, Frame, Kind, Splitter, cobs_encode, decode
from tests.gateware.rtl import BENCH, TOPS, Design, verilate

pytestmark = pytest.mark.xdist_group("gateware-uart")

UART = BENCH.parent / "uart"
QUICK, REAL = (
    4 * 256,
    27778,
)  # cycles of a bit, times 256: the least there may be; 921,600 at 100 MHz
TIMEOUT_CYCLES, MAX_WORDS = 200, 256
SUM, WRITES, READS, SLVERR, DECERR, SILENT, LATE = (
    4 * word for word in (0x100, 0x101, 0x102, 0x140, 0x180, 0x1C0, 0x1C1)
)


def sources(*more: Path) -> tuple[Path, ...]:
    rtl = [path for path in find_overlay("dial").uart_rtl if path.stem != "fabric_uart"]
    return (BENCH / "lint.vlt", UART / "lint.vlt", rtl[0], BENCH / "ram_1r1w.sv", *rtl[1:], *more)


class Host:
    """Sends frames and reads answers; counts its own numbers."""

    def __init__(self, line: UartLine) -> None:
        self.line = line
        self.number = 0

    def send(self, frame: Frame) -> list[Frame | None]:
        return [decode(piece) for piece in Splitter().feed(self.line.exchange(frame.encode()))]

    def ask(self, kind: Kind, *words: int) -> Frame:
        self.number += 1
        (answer,) = self.send(Frame(kind, self.number, struct.pack(f"<{len(words)}I", *words)))
        assert answer is not None
        assert answer.number == self.number
        return answer

    def hello(self) -> tuple[int, ...]:
        answer = self.ask(Kind.HELLO)
        assert answer.kind == Kind.HELLO | REPLY
        return struct.unpack("<5I", answer.payload)

    @property
    def forgotten(self) -> int:
        """Frames the bridge has dropped since its reset."""
        return self.hello()[4]

    def read(self, address: int, words: int = 1) -> list[int]:
        answer = self.ask(Kind.READ, address, words)
        assert answer.kind == Kind.READ | REPLY, struct.unpack("<II", answer.payload)
        return list(struct.unpack(f"<{words}I", answer.payload))

    def write(self, address: int, *words: int) -> None:
        answer = self.ask(Kind.WRITE, address, *words)
        assert (answer.kind, answer.payload) == (Kind.WRITE | REPLY, b"")

    def refused(self, kind: Kind, *words: int) -> tuple[Cause, int]:
        answer = self.ask(kind, *words)
        assert answer.kind == Kind.ERROR
        cause, index = struct.unpack("<II", answer.payload)
        return Cause(cause), index


Make = Callable[..., Host]


@pytest.fixture(scope="module")
def make() -> Iterator[Make]:
    """Make a host that has greeted a bridge which has just been reset."""
    lines: list[UartLine] = []

    def made(divisor_q8: int = QUICK, seed: int = 1, greet: bool = True) -> Host:
        parameters = (("TimeoutCycles", TIMEOUT_CYCLES), ("MaxWords", MAX_WORDS))
        top = sources(TOPS / "bridge_top.sv")
        library = build(line_recipe("bridge_top", top, "bridge_top", divisor_q8, parameters))
        lines.append(UartLine(library, seed))
        host = Host(lines[-1])
        if greet:
            host.hello()
        return host

    yield made
    for line in lines:
        line.close()


@pytest.mark.parametrize("divisor_q8", [QUICK, REAL])
def test_bursts_of_any_length_anywhere(make: Make, divisor_q8: int) -> None:
    host, rng = make(divisor_q8), random.Random(divisor_q8)
    memory = [rng.getrandbits(32) for _ in range(MAX_WORDS)]
    host.write(0, *memory)
    for _ in range(60 if divisor_q8 == QUICK else 12):
        first = rng.randrange(MAX_WORDS)
        count = rng.choice([1, 2, 3, MAX_WORDS - first, rng.randint(1, MAX_WORDS - first)])
        if rng.random() < 0.5:
            memory[first : first + count] = (rng.getrandbits(32) for _ in range(count))
            host.write(4 * first, *memory[first : first + count])
        assert host.read(4 * first, count) == memory[first : first + count]
    assert host.read(0, MAX_WORDS) == memory
    assert host.forgotten == 0


def test_what_the_bridge_says_of_itself(make: Make) -> None:
    magic, about, clock_hz, divisor_q8, forgotten = make().hello()
    assert magic.to_bytes(4, "big") == b"FILU"
    assert (about & 0xFF, about >> 16) == (1, MAX_WORDS)
    assert (clock_hz, divisor_q8, forgotten) == (100_000_000, QUICK, 0)


def test_every_pattern_of_zeros_survives_the_encoder(make: Make) -> None:
    """Runs of bytes other than zero of every length around that of a full block, and zeros at the
    end."""
    host = make()
    for run in (*range(1, 12), *range(236, 262), 500, 507, 508, 509, 762, 1015, 1016, 1023, 1024):
        data = (b"\xa5" * run).ljust(1024, b"\0")
        words = struct.unpack("<256I", data)
        host.write(0, *words)
        assert host.read(0, 256) == list(words)
        size = -(-run // 4)
        assert host.read(0, size) == list(words[:size])


def test_a_repeated_request_is_answered_and_not_obeyed(make: Make) -> None:
    host = make()
    host.write(SUM, 5)
    for kind, words in ((Kind.WRITE, (SUM, 7)), (Kind.READ, (SUM, 3))):
        frame = Frame(kind, host.number + 1, struct.pack("<II", *words)).encode()
        answers = {host.line.exchange(frame) for _ in range(5)}
        assert len(answers) == 1
        host.number += 1
    total, writes, reads = host.read(SUM, 3)
    # Reads one after the other count themselves.
    assert (total, writes, reads) == (12, 2, 5)


def test_one_number_for_two_requests_is_refused(make: Make) -> None:
    host = make()
    host.write(SUM, 5)
    host.number -= 1
    assert host.refused(Kind.WRITE, SUM, 6) == (Cause.BAD_NUMBER, 0)
    assert host.read(SUM, 1) == [5]


def test_nothing_is_done_before_a_hello(make: Make) -> None:
    host = make(greet=False)
    assert host.refused(Kind.WRITE, SUM, 5) == (Cause.NO_HELLO, 0)
    assert host.refused(Kind.READ, 0, 1) == (Cause.NO_HELLO, 0)
    host.hello()
    assert host.read(WRITES) == [0]
    host.write(SUM, 5)
    host.line.reset()
    assert host.refused(Kind.WRITE, SUM, 5) == (Cause.NO_HELLO, 0)


def test_a_new_host_may_begin_with_any_number(make: Make) -> None:
    host = make()
    host.write(SUM, 5)
    last = host.number
    host.number = last - 2
    host.hello()
    host.write(SUM, 5)  # the very frame that the first host ended with
    assert host.number == last
    assert host.read(SUM) == [10]


def test_every_refusal_names_its_cause_and_word(make: Make) -> None:
    host = make()
    host.write(0, *range(1, 65))
    for refused in (
        (Kind.READ, (SLVERR - 8, 4), (Cause.SLAVE_ERROR, 2)),
        (Kind.WRITE, (SLVERR - 4, 1, 2, 3), (Cause.SLAVE_ERROR, 1)),
        (Kind.READ, (DECERR - 12, 4), (Cause.NO_SLAVE, 3)),
        (Kind.READ, ((1 << 22) - 4, 2), (Cause.NO_SLAVE, 0)),
        (Kind.READ, (1 << 22, 1), (Cause.NO_SLAVE, 0)),
        (Kind.WRITE, (0xFFFF_FFFC, 1), (Cause.NO_SLAVE, 0)),
        (Kind.READ, (2, 1), (Cause.BAD_ADDRESS, 0)),
        (Kind.WRITE, (1, 1), (Cause.BAD_ADDRESS, 0)),
        (Kind.READ, (0, 0), (Cause.BAD_LENGTH, 0)),
        (Kind.READ, (0, MAX_WORDS + 1), (Cause.BAD_LENGTH, 0)),
        (Kind.READ, (0, 0xFFFF_FFFF), (Cause.BAD_LENGTH, 0)),
        (Kind.READ, (0,), (Cause.BAD_LENGTH, 0)),
        (Kind.READ, (0, 1, 1), (Cause.BAD_LENGTH, 0)),
        (Kind.READ, (), (Cause.BAD_LENGTH, 0)),
        (Kind.WRITE, (0,), (Cause.BAD_LENGTH, 0)),
        (Kind.WRITE, (0, *range(MAX_WORDS + 1)), (Cause.BAD_LENGTH, 0)),
        (Kind.HELLO, (1,), (Cause.BAD_LENGTH, 0)),
        (Kind.ELAPSE, (0, 0), (Cause.BAD_TYPE, 0)),
        (Kind.ERROR, (0, 0), (Cause.BAD_TYPE, 0)),
    ):
        kind, words, found = refused
        assert host.refused(kind, *words) == found, refused
        assert host.read(0, 64) == list(range(1, 65))
    assert host.forgotten == 0


def test_a_length_that_is_not_the_frames_is_refused(make: Make) -> None:
    import zlib

    host = make()
    for length in (0, 4, 12, 0x0001_0008, 0xFFFF_FFFC):
        host.number += 1
        raw = struct.pack("<BBHIII", 1, Kind.READ, host.number, length, 0, 1)
        raw += zlib.crc32(raw).to_bytes(4, "little")
        (answer,) = Splitter().feed(host.line.exchange(cobs_encode(raw) + b"\0"))
        found = decode(answer)
        assert found is not None
        assert struct.unpack("<II", found.payload) == (Cause.BAD_LENGTH, 0)


def test_another_version_is_refused_in_ours(make: Make) -> None:
    host = make()
    (answer,) = host.send(Frame(Kind.HELLO, 77, version=2))
    assert answer is not None
    assert (answer.version, answer.number, answer.kind) == (1, 77, Kind.ERROR)
    assert struct.unpack("<II", answer.payload) == (Cause.BAD_VERSION, 0)


def test_a_silent_slave_is_given_up_and_a_late_answer_is_nobodys(make: Make) -> None:
    host = make()
    host.write(0, 11, 12)
    host.write(LATE, 2 * TIMEOUT_CYCLES)
    assert host.refused(Kind.READ, SILENT, 1) == (Cause.TIMED_OUT, 0)
    host.line.run(4 * TIMEOUT_CYCLES)
    assert host.read(0, 2) == [11, 12]
    # An answer that comes while the next request waits for the bus is not taken for its own. One
    # comes before it, one while it waits, one after it was given up as well.
    given_up = []
    for late in range(1000, 3500, TIMEOUT_CYCLES // 2):
        host.write(LATE, late)
        assert host.refused(Kind.READ, SILENT, 1) == (Cause.TIMED_OUT, 0)
        answer = host.ask(Kind.READ, 0, 2)
        given_up.append(answer.kind == Kind.ERROR)
        cause = struct.pack("<II", Cause.TIMED_OUT, 0)
        assert answer.payload == (cause if given_up[-1] else struct.pack("<II", 11, 12))
        host.line.run(4000)
    assert given_up == sorted(given_up)
    assert 0 < sum(given_up) < len(given_up)
    host.write(LATE, 2 * TIMEOUT_CYCLES)
    assert host.refused(Kind.WRITE, SILENT - 4, 1, 2) == (Cause.TIMED_OUT, 1)
    assert host.read(0, 2) == [11, 12]
    host.write(LATE, 0)
    for _ in range(3):  # now for ever: every access says so, and the bridge lives
        assert host.refused(Kind.READ, SILENT, 1) == (Cause.TIMED_OUT, 0)
        assert host.refused(Kind.READ, 0, 1) == (Cause.TIMED_OUT, 0)
    assert host.hello()[0]


def test_no_damaged_request_is_obeyed(make: Make) -> None:
    """Every bit flipped; every byte lost, doubled, and with another before it."""
    host = make()
    total = 0
    request = Frame(Kind.WRITE, 0, struct.pack("<III", SUM, 1, 1)).encode()
    for place in range(len(request) - 1):
        for change in range(8 + 4):
            host.number += 1
            good = Frame(Kind.WRITE, host.number, struct.pack("<III", SUM, 1, 1)).encode()
            byte = good[place : place + 1]
            if change < 8:
                byte = bytes([byte[0] ^ 1 << change])
            else:
                byte = (b"", 2 * byte, b"\xff" + byte, b"\0" + byte)[change - 8]
            damaged = good[:place] + byte + good[place + 1 :]
            # A zero before all the rest is no damage.
            if damaged != b"\0" + good:
                assert host.line.exchange(damaged + b"\0") == b""
            (answer,) = Splitter().feed(host.line.exchange(good))
            found = decode(answer)
            assert found is not None
            # SUM + 4 is read-only: a write there is taken and does nothing.
            assert found.kind == Kind.WRITE | REPLY
            total += 1
    assert host.read(SUM) == [total]
    assert host.read(WRITES) == [2 * total]


def test_after_a_megabyte_of_garbage_it_answers(make: Make) -> None:
    host = make()
    host.write(SUM, 5)
    garbage = random.Random(3).randbytes(1 << 20)
    assert host.line.exchange(garbage) == b""
    assert host.line.exchange(b"\0") == b""
    assert host.read(SUM, 2) == [5, 1]
    assert host.forgotten > 1000
    assert host.line.exchange(bytes(5000)) == b""
    assert host.read(SUM, 2) == [5, 1]


def test_a_frame_longer_than_any_is_dropped(make: Make) -> None:
    host = make()
    before = host.forgotten
    for words in (600, 5000):
        host.number += 1
        frame = Frame(Kind.WRITE, host.number, struct.pack("<I", 0) + bytes(4 * words))
        assert host.send(frame) == []
    assert host.forgotten == before + 2


def test_a_request_during_another_is_dropped_and_taken_when_it_comes_again(make: Make) -> None:
    host = make()
    host.write(SUM, 5)
    frames = [
        Frame(Kind.WRITE, host.number + 1 + i, struct.pack("<II", SUM, 1)).encode()
        for i in range(2)
    ]
    (answer,) = Splitter().feed(host.line.exchange(b"".join(frames)))
    found = decode(answer)
    assert found is not None
    assert found.number == host.number + 1
    host.number += 1
    assert host.ask(Kind.WRITE, SUM, 1).kind == Kind.WRITE | REPLY
    assert host.read(SUM) == [7]


@pytest.mark.parametrize("ppm", [-30_000, -15_000, 15_000, 30_000])
def test_a_far_clock_that_is_off_by_three_percent_is_understood(make: Make, ppm: int) -> None:
    host = make(REAL)
    host.line.skew(ppm)
    rng = random.Random(ppm)
    words = [rng.getrandbits(32) for _ in range(40)]
    host.write(0, *words)
    assert host.read(0, 40) == words
    assert host.forgotten == 0


@pytest.mark.parametrize("ppm", [-120_000, 120_000])
def test_a_wrong_baud_rate_does_no_harm(make: Make, ppm: int) -> None:
    host = make(REAL)
    host.line.skew(ppm)
    for number in range(100, 120):
        frame = Frame(Kind.WRITE, number, struct.pack("<II", SUM, 0xFFFF_FFFF))
        assert all(answer is None for answer in host.send(frame))
    host.line.skew(0)
    host.line.exchange(b"\0")
    assert host.read(SUM, 2) == [0, 0]


def test_glitches_and_breaks_are_no_bytes(make: Make) -> None:
    host = make(REAL)
    bit = REAL // 256
    for low in (1, 3, bit // 4, bit // 2 - 4):
        host.line.hold(0, low)
        host.line.run(12 * bit)
        assert host.read(WRITES) == [0]
    assert host.forgotten == 0
    host.line.hold(0, 40 * bit)  # a break, or a cable that was pulled
    host.line.run(2 * bit)
    host.line.exchange(b"\0")
    assert host.read(WRITES) == [0]
    assert host.forgotten == 1  # the byte without stop bit


def test_nothing_depends_on_the_state_at_power_up(make: Make) -> None:
    def story(seed: int) -> list[object]:
        host = make(QUICK, seed, greet=False)
        told: list[object] = [host.refused(Kind.READ, 0, 1), host.hello()]
        host.write(0, 1, 2, 3)
        told += [host.read(0, 3), host.refused(Kind.READ, SLVERR, 1), host.read(SUM, 3)]
        return [*told, host.line.cycle]

    assert len({repr(story(seed)) for seed in range(1, 9)}) == 1


LINT = ("--lint-only", "-Wall", "--assert")


def linted(tmp_path: Path, **parameters: int) -> str:
    design = Design("uart_bridge", sources(), {}, parameters)
    done = verilate(design, LINT, tmp_path)
    return "" if done.returncode == 0 and "%Warning" not in done.stdout else done.stdout


@pytest.mark.parametrize(
    "parameters",
    [
        {}, {"MaxWords": 1}, {"MaxWords": 255}, {"MaxWords": 4096}, {"DivisorQ8": 1024},
        {"DivisorQ8": 8_000_000}, {"AddrWidth": 32}, {"AddrWidth": 14}, {"TimeoutCycles": 1},
    ],
    ids=str,
)  # fmt: skip
def test_bridge_at_the_edges(parameters: dict[str, int], tmp_path: Path) -> None:
    assert linted(tmp_path, **parameters) == ""


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"DivisorQ8": 1023}, "at least four clock cycles"),
        ({"MaxWords": 0}, "MaxWords must lie in"),
    ],
)
def test_impossible_bridges_are_refused(
    parameters: dict[str, int], says: str, tmp_path: Path
) -> None:
    assert says in linted(tmp_path, **parameters)


@pytest.mark.parametrize("name", ["dial", "loopback", "jet_tagger"])
def test_an_overlay_behind_the_bridge_has_no_warning(name: str, tmp_path: Path) -> None:
    overlay = find_overlay(name)
    design = Design("fabric_uart", (*overlay.waivers, *overlay.rtl_sources(), *overlay.uart_rtl))
    done = verilate(design, LINT, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "%Warning" not in done.stdout, done.stdout
