"""`latency_histogram` against NumPy, with the host reading in between."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from tests.gateware.sim.support import begin, cycles, number

BINS = 16
VALUES = 4000
EMPTY = {"count": 0, "sum": 0, "min": 0xFFFF_FFFF, "max": 0, "overflow": 0}


async def cleared(dut: Any) -> None:
    """Clear, and find that it takes exactly one cycle a bin."""
    dut.hist_clear_i.value = 1
    await cycles(dut, 1)
    dut.hist_clear_i.value = 0
    for _ in range(BINS):
        await cycles(dut, 1)
        assert number(dut.hist_clearing_o) == 1
    await cycles(dut, 1)
    assert number(dut.hist_clearing_o) == 0


async def bins_of(dut: Any) -> list[int]:
    """Read all bins in consecutive cycles."""
    found = []
    for address in range(BINS + 1):
        dut.hist_req_i.value, dut.hist_addr_i.value = address < BINS, address % BINS
        await cycles(dut, 1)
        if address:
            found.append(number(dut.hist_rdata_o))
        if address < BINS:
            assert number(dut.hist_gnt_o) == 1
    return found


def summary_of(dut: Any) -> dict[str, int]:
    return {name: number(getattr(dut, f"hist_{name}_o")) for name in EMPTY}


def draw(rng: random.Random, kind: str) -> int | None:
    """Return the next cycle's value, or none."""
    if kind == "same":
        return 5
    if kind == "two":
        return rng.choice([None, 3, 3, 9])
    if kind == "steps":
        return rng.choice([0, 1, BINS - 1, BINS, BINS + 1, 0xFFFF_FFFF])
    return None if rng.random() < 0.4 else min(int(rng.expovariate(0.12)), 40)


@cocotb.test()
@cocotb.parametrize(kind=["same", "two", "steps", "exponential"])
async def counts_like_numpy(dut: Any, kind: str) -> None:
    rng = random.Random(kind)
    await begin(dut)
    await cleared(dut)
    assert summary_of(dut) == EMPTY
    edge = RisingEdge(dut.clk_i)
    values: list[int] = []
    stored, late, later = Counter[int](), None, None
    expected: int | None = None
    granted = 0
    for _ in range(VALUES):
        value, address = draw(rng, kind), rng.randrange(BINS)
        read = rng.random() < 0.5
        dut.hist_valid_i.value, dut.hist_value_i.value = value is not None, value or 0
        dut.hist_req_i.value, dut.hist_addr_i.value = read, address
        await edge
        if expected is not None:
            assert number(dut.hist_rdata_o) == expected
        hit = value is not None and value < BINS
        assert number(dut.hist_gnt_o) == (read and not hit)
        # A value is in its bin for reads granted two cycles later.
        if later is not None:
            stored[later] += 1
        late, later = (value if hit else None), late
        expected = stored[address] if read and not hit else None
        granted += expected is not None
        if value is not None:
            values.append(value)
    dut.hist_valid_i.value, dut.hist_req_i.value = 0, 0
    await cycles(dut, 2)
    data = np.array(values, np.int64)
    inside = data[data < BINS]
    assert await bins_of(dut) == np.bincount(inside, minlength=BINS).tolist()
    assert summary_of(dut) == {
        "count": data.size,
        "sum": int(data.sum()),
        "min": int(data.min()),
        "max": int(data.max()),
        "overflow": data.size - inside.size,
    }
    assert granted > 200 or kind == "same"


@cocotb.test()
async def clear_forgets_everything(dut: Any) -> None:
    await begin(dut)
    await cleared(dut)
    dut.hist_valid_i.value, dut.hist_value_i.value = 1, 7
    await cycles(dut, 5)
    # The last value is still on its way into the bin when the clear begins.
    dut.hist_valid_i.value = 0
    dut.hist_req_i.value = 1
    await cleared(dut)
    assert summary_of(dut) == EMPTY
    assert await bins_of(dut) == [0] * BINS


@cocotb.test()
async def nothing_is_granted_while_clearing(dut: Any) -> None:
    await begin(dut)
    dut.hist_clear_i.value, dut.hist_req_i.value = 1, 1
    await cycles(dut, 1)
    dut.hist_clear_i.value = 0
    for _ in range(BINS):
        await cycles(dut, 1)
        assert number(dut.hist_gnt_o) == 0
    await cycles(dut, 1)
    assert number(dut.hist_gnt_o) == 1


@cocotb.test()
async def sum_passes_32_bits(dut: Any) -> None:
    await begin(dut)
    await cleared(dut)
    dut.hist_valid_i.value, dut.hist_value_i.value = 1, 0xFFFF_FFFF
    await cycles(dut, 10)
    dut.hist_valid_i.value = 0
    await cycles(dut, 2)
    assert number(dut.hist_sum_o) == 10 * 0xFFFF_FFFF
    assert number(dut.hist_overflow_o) == 10
