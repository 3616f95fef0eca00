"""What every way to a board must do, whatever lies in between.

The ways: the virtual board in this process, a served one behind PYNQ.remote in another process (of
either family of processing system), one behind a serial line on a pseudo terminal, and each board
that the user's boards.toml names (`-m "not board"` leaves those alone). What is compared with is
the virtual board in this process. `null` has no fabric; its part is at the end.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from harness import session
from harness.bitfile import emulation_facts, parse_bit
from harness.cli import main
from harness.errors import BoardError, BusError, HarnessError
from harness.inventory import find_board
from harness.overlay import find_overlay
from harness.registers import REGISTER
from harness.report import host_store, store
from harness.targets import Target, open_target
from harness.targets.boards_file import read_boards
from harness.targets.spec import parse_spec
from tests.board_process import BoardProcess
from tests.emulation.uart_rig import Rig

pytestmark = pytest.mark.xdist_group("contract")

CLOCK_HZ: Final = 100_000_000  # what a board behind a serial line has, and all others can be set to
# A load of 1.2 behind four places, and jitter: events wait, are late, are lost.
OVERLOAD: Final = (
    "smoke/dial", "arrival.rate=12 MHz", "run.derandomiser=4", "run.events=3000",
    "accelerator.JITTER_MASK=7", "accelerator.SEED=3", "run.deadline=50 cycles",
)  # fmt: skip
# None is lost, so that the CRC over all outputs is known.
STEADY: Final = ("smoke/dial", "arrival.rate=4 MHz", "run.events=3000")


@dataclasses.dataclass(frozen=True)
class Way:
    """A way to a board.

    Args:
        target: As after --target.
        board: Which kind it is.
        has_dma: Whether there is memory that a DMA reaches.
        shared: Whether another user could come the same way at the same time.
    """

    target: str
    board: str
    has_dma: bool
    shared: bool

    def open(self) -> Target:
        return open_target(self.target, find_board(self.board), purpose="contract")


def named_boards() -> list[Any]:
    """Return the fabrics of the user's boards.toml, or one that is skipped and says why."""
    try:
        boards = read_boards()
    except HarnessError as error:
        return [pytest.param("board:", marks=[pytest.mark.board, pytest.mark.skip(str(error))])]
    found = [
        pytest.param(f"board:{name}", marks=pytest.mark.board)
        for name, entry in boards.items()
        if parse_spec(entry.target).kind in {"local", "pynq", "uart"}
    ]
    none = pytest.mark.skip("no boards.toml names a board")
    return found or [pytest.param("board:", marks=[pytest.mark.board, none])]


@pytest.fixture(
    scope="module", params=["virtual", "remote", "remote pynq-z2", "uart", *named_boards()]
)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    kind: str = request.param
    folder = tmp_path_factory.mktemp("way")
    if kind == "virtual":
        yield Way("virtual", "zcu104", has_dma=True, shared=False)
    elif kind.startswith("remote"):
        board = kind.removeprefix("remote").strip() or "zcu104"
        with BoardProcess("--overlay", "dial", "--board", board, folder=folder) as process:
            yield Way(process.target, board, has_dma=True, shared=True)
    elif kind == "uart":
        rig = Rig("dial", folder / "ttyARTY").plug()
        yield Way(rig.target, "arty-a7", has_dma=False, shared=True)
        rig.close()
    else:
        name = kind.removeprefix("board:")
        entry = read_boards()[name]
        way = Way(name, entry.board, parse_spec(entry.target).kind != "uart", shared=True)
        skip_without_bitstream(way)
        yield way


def skip_without_bitstream(way: Way) -> None:
    with way.open() as target:
        image = find_overlay("dial").image(way.board).bit
        if target.time_base == "fabric" and emulation_facts(parse_bit(image.read_bytes())):
            pytest.skip(f"{image} is an emulation image: build one with Vivado for a real board")


@pytest.fixture
def target(way: Way) -> Iterator[Target]:
    with way.open() as opened:
        yield opened


def started(target: Target, way: Way) -> session.Session:
    overlay = find_overlay("dial")
    return session.start(target, overlay, overlay.image(way.board), float(CLOCK_HZ))


def run(way: Way, out: Path, case: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what must be the same everywhere, and the whole result."""
    settings = [word for text in (*case[1:], "run.clock=100 MHz") for word in ("--set", text)]
    where = ["--target", way.target, "--board", way.board, "--out", str(out)]
    status = main(["run", case[0], *settings, *where])
    assert status in {0, 1}, "the numbers are to be believed"
    [folder] = store.list_runs(out)
    stored = store.load(folder)
    result: dict[str, Any] = dict(stored.result)
    assert stored.trace is not None
    same = {
        key: result[key]
        for key in ("events", "latency", "deadline", "queue", "output", "theory", "verdict")
    }
    same["histograms"] = {kind: item.counts.tolist() for kind, item in stored.histograms.items()}
    same["stamps"] = [
        getattr(stored.trace, name).tolist() for name in ("event", "scheduled", "accepted", "done")
    ]
    return same, result


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], dict[str, Any]]:
    virtual = Way("virtual", "zcu104", has_dma=True, shared=False)
    return {
        case: run(virtual, tmp_path_factory.mktemp("expected"), case)[0]
        for case in (OVERLOAD, STEADY)
    }


# ---------------------------------------------------------------------- counts


@pytest.mark.parametrize("case", [OVERLOAD, STEADY], ids=["overload", "steady"])
def test_the_same_histograms_drops_and_crc_to_the_last_count(
    way: Way,
    case: tuple[str, ...],
    expected: dict[tuple[str, ...], dict[str, Any]],
    tmp_path: Path,
) -> None:
    same, result = run(way, tmp_path, case)
    assert same == expected[case]
    if case == OVERLOAD:
        assert same["events"]["dropped"] > 100
        assert same["deadline"]["misses"] > 100
    else:
        assert same["output"]["crc"] == same["output"]["crc_expected"] is not None
        assert same["output"]["bit_exact"]
    assert result["facts"]["target"]["board"] == way.board
    clock = result["clock"]
    assert clock["asked_hz"] == CLOCK_HZ
    assert abs(clock["set_hz"] / CLOCK_HZ - 1) < 1e-3
    assert abs(clock["measured_hz"] - clock["set_hz"]) <= max(
        clock["uncertainty_hz"], 1e-4 * CLOCK_HZ
    )
    assert 0 < clock["uncertainty_hz"] < 1e-3 * CLOCK_HZ


# ---------------------------------------------------------------------- registers and time


def test_every_bit_of_a_word_arrives(target: Target, way: Way) -> None:
    where = started(target, way).ranges["stream_bench_0"].base + REGISTER["SCRATCH"].offset
    for value in (0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xDEAD_BEEF, 0xFFFF_FFFF):
        target.write(where, np.array([value], np.uint32))
        found = target.read(where, 1)
        assert found.dtype == np.uint32
        assert found.tolist() == [value]


def test_nothing_outside_the_design_is_touched(target: Target, way: Way) -> None:
    ranges = started(target, way).ranges
    place = ranges["stream_bench_0"]
    last = max(item.base + item.size_bytes for item in ranges.values())
    for address, words in ((last, 1), (last - 4, 2), (place.base + 2**40, 1)):
        with pytest.raises(BusError, match="outside the design"):
            target.read(address, words)
        with pytest.raises(BusError, match="outside the design"):
            target.write(address, np.zeros(words, np.uint32))
    assert target.read(place.base, 1).tolist() == [0x4649_4C42], "and it still answers"


def test_before_anything_is_loaded_nothing_can_be_read(target: Target) -> None:
    with pytest.raises(BusError, match="load the overlay first"):
        target.read(0xA000_0000, 1)


def test_board_time_passes_as_asked(target: Target, way: Way) -> None:
    started(target, way)
    before = target.now_ns()
    target.elapse(2_000_000)
    assert target.now_ns() - before >= 2_000_000


# ---------------------------------------------------------------------- memory and DMA


def test_a_batch_through_the_dma_is_bit_exact_and_three_times_are_told_apart(
    way: Way, tmp_path: Path
) -> None:
    arguments = ["smoke/dial", "--link", "dma", "--rate", "20 Hz", "--events", "20"]
    arguments += ["--set", "run.clock=100 MHz", "--target", way.target, "--board", way.board]
    status = main(["host", *arguments, "--no-realtime", "--out", str(tmp_path)])
    if not way.has_dma:
        assert status == 2, "a board without a processor has no DMA"
        return
    [folder] = store.list_runs(tmp_path)
    result = host_store.load(folder).result
    facts = result["link_facts"]
    assert (facts["compared"], facts["mismatches"]) == (20, 0)
    assert facts["stock_driver"]["mismatches"] == 0
    fabric = facts["fabric"]
    assert (fabric["completed"], fabric["faults"]) == (20, [])
    assert fabric["service"]["count"] == fabric["total"]["count"] == 20
    # Of the dial's own registers: what it takes in the fabric is known to the cycle.
    register = {item.name: item.reset for item in find_overlay("dial").accelerator.registers}
    assert fabric["service"]["min"]["cycles"] >= register["DELAY"]
    transfer, link = facts["transfer_ns"], result["measured"]["link_ns"]
    assert transfer["count"] == link["count"] == 20
    assert fabric["service"]["max"]["ns"] < transfer["min"] < link["min"]
    assert result["null"]["link_ns"]["count"] > 0
    if way.target.startswith("pynq://"):
        assert 5 < facts["messages_per_event"] <= 12
        assert 28 <= facts["stock_driver"]["messages_per_event"] <= 32


def test_memory_is_given_back(target: Target, way: Way) -> None:
    started(target, way)
    if not way.has_dma:
        with pytest.raises(BoardError, match="no memory that a DMA reaches"):
            target.allocate(4096)
        return
    for _ in range(20):  # more in all than a board has
        memory = target.allocate(16 << 20)
        memory.close()
        memory.close()
    memory = target.allocate(4096)
    content = np.random.default_rng(1).integers(0, 256, 4096, np.uint8)
    memory.data[:] = content
    memory.flush()
    memory.invalidate()
    assert memory.data.tobytes() == content.tobytes()
    memory.close()


# ---------------------------------------------------------------------- one user at a time


def test_a_second_user_is_told_who_has_it(way: Way, target: Target) -> None:
    if not way.shared:
        with way.open() as second:
            assert second.name == target.name, "everybody has a virtual board of his own"
        return
    with pytest.raises(BoardError, match=rf"in use; held by .*process {os.getpid()}.*contract"):
        way.open()


def test_whoever_closes_it_twice_leaves_it_to_the_next(way: Way) -> None:
    first = way.open()
    with first:
        facts = first.facts()
        assert facts["board"] == way.board
        assert all(isinstance(value, str) for value in facts.values())
    first.close()
    with way.open() as second:
        assert started(second, way).identity.digest == find_overlay("dial").digest


# ---------------------------------------------------------------------- null


def test_null_has_no_fabric_and_measures_the_sender(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "smoke/dial", "--target", "null", "--out", str(tmp_path / "run")]) == 2
    assert "harness host BENCHMARK --target null" in capsys.readouterr().err
    arguments = ["--target", "null", "--rate", "1 kHz", "--events", "500", "--no-realtime"]
    assert main(["host", *arguments, "--out", str(tmp_path), "--json"]) in {0, 3}
    result = json.loads(capsys.readouterr().out)
    assert result["link"] == "null"
    for played in (result["measured"], result["null"]):
        assert played["answered"] == 500
        assert played["issue_lag_ns"]["min"] >= 0
