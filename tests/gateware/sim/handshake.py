"""Events into a block and results out of it, beat by beat, with stalls on both sides."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from cocotb.triggers import RisingEdge

from tests.gateware.sim.support import number

LIMIT_CYCLES = 20_000


@dataclass
class Record:
    """Cycles counted from the start of `play`, and what came out."""

    offered: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)  # first cycle of each offer of a result
    left: list[int] = field(default_factory=list)
    results: list[int] = field(default_factory=list)


async def play(
    dut: Any,
    prefix: str,
    events: list[int],
    *,
    idle: float = 0.0,
    pause: float = 0.0,
    gap: int = 0,
    stop_after: int | None = None,
    beats: int = 1,
    results: int | None = None,
) -> Record:
    """Send events and take results, and watch the protocol on the way out.

    Args:
        dut: The top.
        prefix: Of the pins `<prefix>in_*` and `<prefix>out_*`.
        events: Input beats.
        idle: Share of cycles in which no new input is offered.
        pause: Share of cycles in which the result is not taken.
        gap: Cycles from an event's last beat being taken to the next one's offer.
        stop_after: Break off after so many cycles, whatever is still under way.
        beats: Input beats of an event.
        results: Output beats to wait for, as many as there are input beats if not given.
    """
    offer, accept, data = (
        getattr(dut, f"{prefix}in_{pin}") for pin in ("valid_i", "ready_o", "data_i")
    )
    shown, take, result = (
        getattr(dut, f"{prefix}out_{pin}") for pin in ("valid_o", "ready_i", "data_o")
    )
    edge, rng, record = RisingEdge(dut.clk_i), random.Random(prefix), Record()
    wait, valid, ready = 0, False, False
    held: int | None = None
    results = len(events) if results is None else results
    for cycle in range(LIMIT_CYCLES):
        if cycle == stop_after or len(record.results) == results:
            break
        if not valid and len(record.taken) < len(events):
            wait -= 1
            if wait < 0 and rng.random() >= idle:
                valid = True
                record.offered.append(cycle)
                data.value = events[len(record.taken)]
        ready = rng.random() >= pause
        offer.value, take.value = valid, ready
        await edge
        if valid and number(accept):
            record.taken.append(cycle)
            valid, wait = False, 0 if len(record.taken) % beats else gap
        if number(shown):
            found = number(result)
            assert held in {None, found}, f"{prefix}: a stalled result changed"
            if held is None:
                record.shown.append(cycle)
            held = None if ready else found
            if ready:
                record.left.append(cycle)
                record.results.append(found)
        else:
            assert held is None, f"{prefix}: a stalled result was withdrawn"
    else:
        raise AssertionError(f"{prefix}: {len(record.results)} of {results} results")
    offer.value, take.value = 0, 0
    return record
