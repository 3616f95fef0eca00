"""After a fault a board is made well again by the mildest reset that helps, or kept from others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cli import main
from harness.errors import BoardError, HarnessError
from harness.hostpaced.dma_board import DmaBoard
from harness.hostpaced.dma_link import DmaLink
from harness.hostpaced.recovery import Rung, recover
from harness.overlay import find_overlay
from harness.registers import REGISTER, Config

pytestmark = pytest.mark.xdist_group("run")

Fault = Callable[[DmaBoard, DmaLink], None]
RUNGS = ("channel reset", "accelerator reset", "reload")


def short_buffer(board: DmaBoard, link: DmaLink) -> None:
    """The packet is longer than what was armed: the receive channel halts."""
    link.reset()
    link._dma.arm(link._out_bytes // 2)


def path_off(board: DmaBoard, link: DmaLink) -> None:
    """Somebody switches the accelerator away from the DMA: nothing is taken."""
    where = board.session.ranges["stream_bench_0"].base + REGISTER["CONFIG"].offset
    board._target.write(where, np.array([Config(0)], np.uint32))


def another_overlay(board: DmaBoard, link: DmaLink) -> None:
    """Somebody loads another design."""
    board._target.load(find_overlay("dial").image("zcu104"))


@pytest.mark.parametrize(
    ("fault", "rung"),
    [(short_buffer, 0), (path_off, 1), (another_overlay, 2)],
    ids=["short buffer", "path off", "another overlay"],
)
def test_the_mildest_reset_that_helps(
    fault: Fault,
    rung: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    boards: list[DmaBoard] = []
    make, submit = DmaBoard.__init__, DmaLink.submit

    def made(self: DmaBoard, *arguments: Any) -> None:
        make(self, *arguments)
        boards.append(self)

    def faulty(self: DmaLink, event: int) -> None:
        if event == 5:
            fault(boards[0], self)
        submit(self, event)

    monkeypatch.setattr(DmaBoard, "__init__", made)
    monkeypatch.setattr(DmaLink, "submit", faulty)
    # A slow fabric: its deadlines are of board time, and the simulator is no faster for them.
    arguments = ["--link", "dma", "--rate", "20 Hz", "--events", "12", "--no-realtime"]
    arguments += ["--set", "run.clock=10 MHz", "--set", "arrival.rate=1 MHz"]
    arguments += ["--out", str(tmp_path)]
    assert main(["host", "smoke/jet_tagger", *arguments, "--json"]) == 3
    result = json.loads(capsys.readouterr().out)
    assert 4 <= result["measured"]["answered"] <= 6, "what came before the fault is kept"
    recovery = result["link_facts"]["recovery"]
    assert recovery["recovered_by"] == RUNGS[rung], recovery
    assert [item["rung"] for item in recovery["tried"]] == list(RUNGS[:rung])
    assert all(item["failed"] for item in recovery["tried"])
    assert not recovery["quarantined"]


class Board:
    """A target of which only what `recover` uses is there."""

    def __init__(self, *, answers: bool = True, leased: bool = True) -> None:
        self.reasons: list[str] = []
        self.lease = self if leased else None
        self._answers = answers

    def quarantine(self, reason: str) -> None:
        self.reasons.append(reason)

    def facts(self) -> dict[str, str]:
        if not self._answers:
            raise BoardError("the connection was lost")
        return {}


def broken() -> None:
    raise HarnessError("still wrong")


def climb(board: Board) -> dict[str, Any]:
    rungs = [Rung("channel reset", lambda: None), Rung("reload", broken)]
    return recover(board, rungs, broken)  # type: ignore[arg-type]


def test_a_board_that_no_reset_makes_well_is_kept_from_others() -> None:
    board = Board()
    found = climb(board)
    assert found["recovered_by"] is None
    assert found["quarantined"]
    assert board.reasons == ["not well again after reload: still wrong"]


def test_a_board_behind_a_broken_line_or_of_ones_own_is_not() -> None:
    for board in (Board(answers=False), Board(leased=False)):
        assert not climb(board)["quarantined"]
        assert board.reasons == []
