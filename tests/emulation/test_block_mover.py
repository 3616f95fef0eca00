"""Whole runs with the memories filled and emptied through the DMA, counted as a network would."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness import run as runs
from harness import session as sessions
from harness.errors import BoardError
from harness.fabric.block_mover import RECEIVE_BYTES, BlockMover
from harness.inventory import find_board
from harness.overlay import find_overlay
from harness.registers import WINDOW
from harness.report import store
from harness.targets import DeviceMemory, Target
from harness.targets.virtual import VirtualTarget

pytestmark = pytest.mark.xdist_group("run")


class CountingMemory:
    """What a buffer would cost if every call were a message."""

    def __init__(self, memory: DeviceMemory, calls: Counter[str]) -> None:
        self._memory, self._calls = memory, calls
        self.address, self.data = memory.address, memory.data

    def flush(self) -> None:
        self._calls["flush"] += 1
        self._memory.flush()

    def invalidate(self) -> None:
        self._calls["invalidate"] += 1
        self._memory.invalidate()

    def close(self) -> None:
        self._calls["free"] += 1
        self._memory.close()


class CountingTarget(VirtualTarget):
    """The virtual board in this process, every word and call of it counted."""

    calls: Counter[str]

    def read(self, address: int, words: int) -> NDArray[np.uint32]:
        self.calls["read"] += words
        return super().read(address, words)

    def write(self, address: int, words: NDArray[np.uint32]) -> None:
        self.calls["write"] += words.size
        super().write(address, words)

    def now_ns(self) -> int:
        self.calls["now"] += 1
        return super().now_ns()

    def elapse(self, ns: int) -> None:
        self.calls["elapse"] += 1
        super().elapse(ns)

    def allocate(self, size_bytes: int) -> DeviceMemory:
        self.calls["allocate"] += 2  # and its physical address
        return CountingMemory(super().allocate(size_bytes), self.calls)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    calls: Counter[str] = Counter()

    def opened(*_: object, **__: object) -> Target:
        target = CountingTarget(find_board("zcu104"), prefers_dma=True)
        target.calls = calls
        return target

    monkeypatch.setattr(runs, "open_target", opened)
    return calls


class Silent:
    def stage(self, text: str) -> None:
        pass

    def events(self, done: int, of: int) -> None:
        pass


def play(benchmark: str, out: Path) -> tuple[object, dict[str, bytes]]:
    """Run a benchmark; return the fabric's part of the result, and histograms and trace."""
    outcome = runs.run(runs.Request(benchmark, "virtual", None, out), Silent())
    assert outcome.exit_status == 0
    files = store.read_files(outcome.folder)
    result = json.loads(files["result.json"])
    tables = {name: content for name, content in files.items() if name != "result.json"}
    return {key: result[key] for key in ("counters", "latency", "outputs") if key in result}, tables


@pytest.mark.parametrize("benchmark", ["smoke/jet_tagger", "smoke/dial"])
def test_a_run_is_the_same_and_costs_few_messages(
    benchmark: str, tmp_path: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run costs does not depend on how many events it has."""
    blocks = play(benchmark, tmp_path / "blocks")
    assert 50 < sum(counted.values()) <= 350, counted
    monkeypatch.undo()
    assert blocks == play(benchmark, tmp_path / "words")


@pytest.fixture(scope="module")
def session() -> Iterator[sessions.Session]:
    overlay = find_overlay("jet_tagger")
    with VirtualTarget(find_board("zcu104"), prefers_dma=True) as target:
        yield sessions.start(target, overlay, overlay.image("zcu104"), 200e6)


def mover(session: sessions.Session) -> BlockMover:
    found = session.bench._mover
    assert found is not None
    return found


def test_blocks_longer_than_the_buffers(session: sessions.Session) -> None:
    """A block that takes several packets each way, with a length that fills no last beat."""
    offset, words = WINDOW["EVENT"].offset, RECEIVE_BYTES // 4 + 4001
    content = np.random.default_rng(99).integers(0, 1 << 32, words, np.uint32)
    mover(session).load(offset, content)
    np.testing.assert_array_equal(mover(session).dump(offset, words), content)
    base = session.ranges["stream_bench_0"].base + offset
    np.testing.assert_array_equal(session.target.read(base, words), content)


@pytest.mark.parametrize("way", ["load", "dump"])
def test_a_refused_block_is_named_and_the_next_one_moves(
    session: sessions.Session, way: str
) -> None:
    sizes = find_overlay("jet_tagger").bench
    end = WINDOW["GAP_TABLE"].offset + 4 * sizes.gap_entries
    with pytest.raises(BoardError, match="block"):
        if way == "load":
            mover(session).load(end - 8, np.arange(20, dtype=np.uint32))
        else:
            mover(session).dump(end - 8, 20)
    session.bench.reset()
    content = np.arange(20, dtype=np.uint32)
    mover(session).load(end - 80, content)
    np.testing.assert_array_equal(mover(session).dump(end - 80, 20), content)


def test_a_target_that_loads_again_and_again_keeps_its_memory() -> None:
    overlay = find_overlay("dial")
    image = overlay.image("zcu104")
    with VirtualTarget(find_board("zcu104"), prefers_dma=True) as target:
        free = set()
        for _ in range(3):
            sessions.start(target, overlay, image, float(overlay.clock_hz))
            free.add(target._virtual.memory.free_bytes)
    assert len(free) == 1
