"""`output_checker` against zlib and a golden list."""

from __future__ import annotations

import random
import zlib
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tests.gateware.sim.support import begin, cycles, number

ROWS, SPY, BYTES = 16, 8, 8


async def load(dut: Any, rows: list[int]) -> None:
    """Write the golden memory word by word."""
    for address, row in enumerate(rows):
        for word in range(2):
            dut.golden_req_i.value, dut.golden_we_i.value = 1, 1 << word
            dut.golden_addr_i.value = address
            dut.golden_wdata_i.value = row >> 32 * word & 0xFFFF_FFFF
            await cycles(dut, 1)
            assert number(dut.golden_gnt_o) == 1
    dut.golden_req_i.value, dut.golden_we_i.value = 0, 0


@cocotb.test()
@cocotb.parametrize(beats=[1, 2, 5], check=[0, 1], wrong=[0.0, 0.05])
async def sees_every_beat(dut: Any, beats: int, check: int, wrong: float) -> None:
    rng = random.Random(f"{beats} {check} {wrong}")
    golden = [rng.getrandbits(64) for _ in range(ROWS)]
    await begin(dut)
    await load(dut, golden)
    dut.out_check_i.value = check
    edge = RisingEdge(dut.clk_i)
    sent: list[int] = []
    unlike: list[int] = []
    expected: int | None = None
    for event in range(300 // beats):
        row, known = rng.randrange(ROWS // beats) * beats, rng.random() < 0.9
        for beat in range(beats):
            data = golden[row + beat] ^ (1 << rng.randrange(64) if rng.random() < wrong else 0)
            offered = False
            while not offered:
                offered = rng.random() < 0.6
                address, read = rng.randrange(ROWS), rng.random() < 0.5
                dut.out_beat_i.value, dut.out_last_i.value = offered, beat == beats - 1
                dut.out_data_i.value = data if offered else rng.getrandbits(64)
                dut.out_event_valid_i.value = known
                dut.out_number_i.value, dut.out_golden_i.value = 1000 + event, row
                dut.golden_req_i.value, dut.golden_addr_i.value = read, address
                await edge
                assert number(dut.golden_gnt_o) == (read and not offered)
                if expected is not None:
                    assert number(dut.golden_rdata_o) == expected
                expected = golden[address] if read and not offered else None
            sent.append(data)
            if check and known and data != golden[row + beat]:
                unlike.append(1000 + event)
    dut.out_beat_i.value, dut.golden_req_i.value = 0, 0
    await cycles(dut, 3)
    stream = b"".join(data.to_bytes(BYTES, "little") for data in sent)
    assert number(dut.out_crc_o) == zlib.crc32(stream)
    assert number(dut.out_beats_o) == len(sent)
    assert number(dut.out_mismatches_o) == len(unlike)
    assert number(dut.out_first_o) == (unlike[0] if unlike else 0xFFFF_FFFF)
    assert bool(unlike) == bool(check and wrong)
    assert await spied(dut) == sent[:SPY]


async def spied(dut: Any) -> list[int]:
    rows = []
    for address in range(number(dut.out_spied_o)):
        dut.spy_req_i.value, dut.spy_addr_i.value = 1, address
        await cycles(dut, 2)
        rows.append(number(dut.spy_rdata_o))
    return rows


@cocotb.test()
async def clear_starts_over(dut: Any) -> None:
    await begin(dut)
    golden = [7 * row + 5 for row in range(ROWS)]
    await load(dut, golden)
    dut.out_check_i.value, dut.out_event_valid_i.value = 1, 1
    # The first beat of an event of two, wrong at first; each clear forgets the place in the event.
    for data, wrong in ((1, 1), (golden[0], 0), (golden[1], 1), (golden[0], 0)):
        dut.out_beat_i.value, dut.out_last_i.value, dut.out_data_i.value = 1, 0, data
        await cycles(dut, 1)
        dut.out_beat_i.value = 0
        await cycles(dut, 3)
        assert number(dut.out_mismatches_o) == wrong
        assert number(dut.out_first_o) == (0 if wrong else 0xFFFF_FFFF)
        assert number(dut.out_crc_o) == zlib.crc32(data.to_bytes(BYTES, "little"))
        dut.out_clear_i.value = 1
        await cycles(dut, 1)
        dut.out_clear_i.value = 0
        await cycles(dut, 1)
        assert number(dut.out_mismatches_o) == number(dut.out_beats_o) == 0
        assert number(dut.out_first_o) == 0xFFFF_FFFF
        assert number(dut.out_crc_o) == zlib.crc32(b"")
        assert number(dut.out_spied_o) == 0
