"""Fabric clocks: our arithmetic against pynq's, and plans against exhaustive search."""

from __future__ import annotations

import struct
import warnings
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.emulation.clocks import PsRegisters
from harness.errors import BoardError, BusError, InputError
from harness.inventory import BOARDS, UART_BOARDS, Board, all_boards, find_board
from harness.ps_clocks import (
    boot_reader,
    clock_sources,
    control_register,
    pl_clock_hz,
    plan_pl_clock,
    pll_hz,
)

NAMES = list(BOARDS)


class RegisterDevice:
    """As much of a pynq device as its clocks need."""

    def __init__(self, board: Board) -> None:
        self.registers = PsRegisters(board)
        self.arch = board.arch

    def has_capability(self, name: str) -> bool:
        return name == "REGISTER_RW"

    def read_registers(self, address: int, length: int) -> bytes:
        assert length == 4
        return struct.pack("<I", self.registers.read(address))

    def write_registers(self, address: int, data: bytes) -> None:
        self.registers.write(address, struct.unpack("<I", data)[0])


def pynq_clocks(board: Board, device: RegisterDevice) -> Any:
    from pynq import ps

    import harness.emulation.pynq_device  # noqa: F401 (imports pynq without its warnings)

    zynq = board.family == "processing_system7"
    kind = ps._ClocksZynq if zynq else ps._ClocksUltrascale
    return kind(board.reference_hz / 1e6, device=device)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(
    index=st.integers(0, 3),
    div0=st.integers(1, 63),
    div1=st.integers(1, 63),
    pll=st.integers(0, 2),
    feedback=st.integers(10, 100),
    half=st.booleans(),
)
def test_frequencies_agree_with_pynq(
    name: str, index: int, div0: int, div1: int, pll: int, feedback: int, half: bool
) -> None:
    board = BOARDS[name]
    device = RegisterDevice(board)
    clocks = pynq_clocks(board, device)
    source = clock_sources(board)[pll]
    zynq = board.family == "processing_system7"
    device.registers.write(source.control, feedback << 12 if zynq else feedback << 8 | half << 16)
    register = clocks.PL_CLK_CTRLS[index]
    register.SRCSEL = source.select
    register.DIVISOR0, register.DIVISOR1 = div0, div1
    if not zynq:
        register.CLKACT = 1
    hz = pl_clock_hz(board, device.registers.read, index)
    assert hz is not None
    assert clocks.get_pl_clk(index) == pytest.approx(float(hz) / 1e6, abs=1.1e-6)
    expected = Fraction(board.reference_hz) * feedback / (2 if half and not zynq else 1)
    assert hz == expected / (div0 * div1)


@pytest.mark.parametrize("name", NAMES)
def test_boot_leaves_100_mhz(name: str) -> None:
    board = BOARDS[name]
    hz = PsRegisters(board).pl_clock_hz()
    assert hz is not None
    assert float(hz) == pytest.approx(100e6, rel=1e-7)


@pytest.mark.parametrize("name", ["zcu104", "kv260"])
def test_pynq_misses_200_mhz_and_the_plan_does_not(name: str) -> None:
    board = BOARDS[name]
    device = RegisterDevice(board)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        # What both pynq 3.1 and 4.0 do once they know a frequency: divide the PLL that is selected.
        pynq_clocks(board, device)._get_2_divisors(1500.0, 200.0, 6, 6)
    assert "closest possible" in str(seen[0].message)
    iopll = pll_hz(board, clock_sources(board)[0], boot_reader(board))
    assert iopll is not None
    nearest = min(abs(iopll / divisor - 200_000_000) for divisor in range(1, 64))
    assert nearest > 12_000_000
    plan = plan_pl_clock(board, 200_000_000, boot_reader(board))
    assert (plan.source.name, plan.divisor0, plan.divisor1) == ("RPLL", 4, 1)
    assert plan.hz == 199_999_998


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(st.integers(1_000_000, 1_300_000_000), st.integers(0, 3))
def test_plans_are_the_best_there_is_and_do_what_they_say(
    name: str, target_hz: int, index: int
) -> None:
    board = BOARDS[name]
    registers = PsRegisters(board)
    plls = [pll_hz(board, item, registers.read) for item in clock_sources(board)[:2]]
    if target_hz > max(hz for hz in plls if hz is not None):
        with pytest.raises(BoardError, match="its PLLs give"):
            plan_pl_clock(board, target_hz, registers.read, index)
        return
    plan = plan_pl_clock(board, target_hz, registers.read, index)
    for address, value in plan.writes:
        registers.write(address, value)
    assert registers.pl_clock_hz(index) == plan.hz
    products = {a * b for a in range(1, 64) for b in range(1, 64)}
    best = min(abs(hz / product - target_hz) for hz in plls if hz for product in products)
    assert abs(plan.hz - target_hz) == best
    untouched = [other for other in range(4) if other != index]
    boot = boot_reader(board)
    assert [registers.read(control_register(board, item)) for item in untouched] == [
        boot(control_register(board, item)) for item in untouched
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_clock_can_stand_still(name: str) -> None:
    board = BOARDS[name]
    registers = PsRegisters(board)
    address = control_register(board)
    registers.write(address, registers.read(address) & ~0x3F00)  # a divisor of zero
    assert registers.pl_clock_hz() is None
    registers = PsRegisters(board)
    pll = clock_sources(board)[0].control
    registers.write(pll, registers.read(pll) | 1)  # held in reset
    assert registers.pl_clock_hz() is None
    if board.family == "zynq_ultra_ps_e":
        registers = PsRegisters(board)
        registers.write(address, registers.read(address) & ~(1 << 24))
        assert registers.pl_clock_hz() is None


@pytest.mark.parametrize("name", NAMES)
def test_registers_exist_where_the_family_has_them(name: str) -> None:
    board = BOARDS[name]
    registers = PsRegisters(board)
    for item in board.ps_ranges:
        for address in (item.base, item.base + item.size_bytes - 4):
            registers.write(address, 0x1_2345_6789)
            assert registers.read(address) == 0x2345_6789
        with pytest.raises(BusError, match="no register"):
            registers.read(item.base + item.size_bytes)
    with pytest.raises(BusError):
        registers.write(0, 0)
    with pytest.raises(BusError):
        registers.read(board.ps_ranges[0].base + 2)


def test_boards_are_found_by_name() -> None:
    assert find_board("pynq-z2").part == "xc7z020clg400-1"
    with pytest.raises(InputError, match="did you mean 'zcu104'"):
        find_board("zcu14")
    assert find_board("basys3").fixed_clock_hz == 100_000_000
    assert find_board("zcu104").fixed_clock_hz is None
    boards = all_boards()
    assert len(boards) == len(BOARDS) + len(UART_BOARDS)
    assert len({board.idcode for board in boards.values()}) == len(boards)


def test_both_codes_of_the_zynq_io_pll_select_it() -> None:
    registers = PsRegisters(BOARDS["pynq-z2"])
    address = control_register(BOARDS["pynq-z2"])
    expected = registers.pl_clock_hz()
    registers.write(address, registers.read(address) | 1 << 4)
    assert registers.pl_clock_hz() == expected
