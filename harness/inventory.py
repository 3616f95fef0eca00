"""Boards the project knows: part, processing system, and the state their boot software leaves.

The clock registers below are **this project's assumption for the virtual board**: what first-stage
boot code commonly leaves, not a measurement of one board. A real board's are read from the board
itself. On the Zynq UltraScale+ boards the IOPLL runs at 1500 MHz, of which 200 MHz is no integer
fraction (1500 / 7.5): software that only sets divisors ends at 214.3 MHz or 187.5 MHz. The RPLL's
800 MHz gives 200 MHz. That trap is kept on purpose.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from harness.errors import InputError

__all__ = [
    "BOARDS", "UART_BOARDS", "Board", "PsFamily", "PsRange", "UartPort", "all_boards", "find_board",
]  # fmt: skip

PsFamily = Literal["zynq_ultra_ps_e", "processing_system7", "artix7"]


@dataclass(frozen=True, slots=True)
class PsRange:
    """Registers of the processing system, by physical address in bytes."""

    name: str
    base: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class UartPort:
    """How a board without a processor is clocked and reached. Pins are those of its schematic.

    Args:
        clock_hz: Its oscillator, and the fabric clock: nothing can change it at run time.
        baud: Rate its images are built for.
        clock_pin: The oscillator.
        button_pin: The button that resets the fabric.
        button_active: What the button gives while it is pressed.
        rx_pin: From the USB converter into the fabric.
        tx_pin: From the fabric to the USB converter.
        led_pin: An LED, on while a request is worked on.
    """

    clock_hz: int
    baud: int
    clock_pin: str
    button_pin: str
    button_active: Literal[0, 1]
    rx_pin: str
    tx_pin: str
    led_pin: str

    @property
    def divisor_q8(self) -> int:
        """Clock cycles of a bit, times 256, as the bridge takes them."""
        return round(256 * self.clock_hz / self.baud)


@dataclass(frozen=True, slots=True)
class Board:
    """One kind of board.

    Args:
        name: As in manifests and file names.
        title: As its maker calls it.
        part: Full part name, as Vivado wants it.
        bit_part: Part name as Vivado writes it into a `.bit` header.
        family: Kind of processing system, named as its Vivado IP; `artix7` has none.
        arch: Machine name of its Linux, as `uname -m`; `none` without a processor.
        board_part: Vivado's board file; its preset configures the processing system.
        reference_hz: Crystal of the processing system.
        pl_base: Where the first AXI port into the fabric begins.
        pl_size_bytes: How far it reaches.
        cma_base: Where contiguous memory begins on the virtual board.
        idcode: JTAG IDCODE of the device's processing-system TAP, or of the device where there is
            none, without the revision.
        ps_ranges: Registers of the processing system that the virtual board has.
        ps_reset: Register address to value as boot leaves it; all others are 0.
        uart: Clock and serial line of a board without a processing system.
    """

    name: str
    title: str
    part: str
    bit_part: str
    family: PsFamily
    arch: Literal["aarch64", "armv7l", "none"]
    board_part: str
    reference_hz: int
    pl_base: int
    pl_size_bytes: int
    cma_base: int
    idcode: int
    ps_ranges: tuple[PsRange, ...]
    ps_reset: tuple[tuple[int, int], ...]
    uart: UartPort | None = None

    @property
    def fixed_clock_hz(self) -> int | None:
        """The fabric clock, where the image decides it; none where it can be set."""
        return self.uart.clock_hz if self.uart is not None else None


_ZYNQMP_RANGES = (
    PsRange("CRL_APB", 0xFF5E_0000, 0x1000),
    PsRange("CRF_APB", 0xFD1A_0000, 0x1000),
    PsRange("FPD_SLCR", 0xFD61_0000, 0x8000),
    PsRange("LPD_SLCR", 0xFF41_0000, 0x1_0000),
    *(PsRange(f"AFIFM{i}", 0xFD36_0000 + i * 0x1_0000, 0x1000) for i in range(6)),
    PsRange("AFIFM6", 0xFF9B_0000, 0x1000),
)
# PLL control: FBDIV in bits 14:8, DIV2 in bit 16.
# PLn_REF_CTRL: CLKACT 24, DIVISOR1 21:16, DIVISOR0 13:8, SRCSEL 2:0.
_ZYNQMP_RESET = (
    (0xFF5E_0020, 0x0001_5A00),  # IOPLL: 33.3 MHz * 90 / 2 = 1500 MHz
    (0xFF5E_0030, 0x0001_3000),  # RPLL: 33.3 MHz * 48 / 2 = 800 MHz
    (0xFD1A_0020, 0x0001_4800),  # APLL: 33.3 MHz * 72 / 2 = 1200 MHz
    (0xFD1A_002C, 0x0001_4000),  # DPLL: 33.3 MHz * 64 / 2 = 1067 MHz
    (0xFD1A_0038, 0x0001_5A00),  # VPLL: 33.3 MHz * 90 / 2 = 1500 MHz
    (0xFD1A_0060, 0x0300_0100),  # CPU: APLL / 1
    (0xFF5E_00C0, 0x0101_0F00),  # PL0: IOPLL / 15 = 100 MHz, on
    (0xFF5E_00C4, 0x0001_0F00),  # PL1..PL3: off
    (0xFF5E_00C8, 0x0001_0F00),
    (0xFF5E_00CC, 0x0001_0F00),
)
_ZYNQ_RANGES = (PsRange("SLCR", 0xF800_0000, 0x1000),)
# PLL control: PLL_FDIV in bits 18:12. FPGAn_CLK_CTRL: DIVISOR1 25:20, DIVISOR0 13:8, SRCSEL 5:4.
_ZYNQ_RESET = (
    (0xF800_0100, 0x0001_A008),  # ARM PLL: 50 MHz * 26 = 1300 MHz
    (0xF800_0104, 0x0001_5008),  # DDR PLL: 50 MHz * 21 = 1050 MHz
    (0xF800_0108, 0x0001_4008),  # IO PLL: 50 MHz * 20 = 1000 MHz
    (0xF800_0120, 0x1F00_0200),  # CPU: ARM PLL / 2
    (0xF800_0170, 0x0010_0A00),  # FCLK0: IO PLL / 10 = 100 MHz
    (0xF800_0180, 0x0010_0A00),
    (0xF800_0190, 0x0010_0A00),
    (0xF800_01A0, 0x0010_0A00),
)

_ALL = (
    Board(
        name="zcu104",
        title="AMD Zynq UltraScale+ MPSoC ZCU104",
        part="xczu7ev-ffvc1156-2-e",
        bit_part="xczu7ev-ffvc1156-2-e",
        family="zynq_ultra_ps_e",
        arch="aarch64",
        board_part="xilinx.com:zcu104:part0:1.1",
        reference_hz=33_333_333,
        pl_base=0xA000_0000,
        pl_size_bytes=0x1000_0000,
        cma_base=0x6000_0000,
        idcode=0x0473_0093,
        ps_ranges=_ZYNQMP_RANGES,
        ps_reset=_ZYNQMP_RESET,
    ),
    Board(
        name="kv260",
        title="AMD Kria KV260 Vision AI Starter Kit",
        part="xck26-sfvc784-2LV-c",
        bit_part="xck26-sfvc784-2LV-c",
        family="zynq_ultra_ps_e",
        arch="aarch64",
        board_part="xilinx.com:kv260_som:part0:1.4",
        reference_hz=33_333_333,
        pl_base=0xA000_0000,
        pl_size_bytes=0x1000_0000,
        cma_base=0x6000_0000,
        idcode=0x0472_4093,
        ps_ranges=_ZYNQMP_RANGES,
        ps_reset=_ZYNQMP_RESET,
    ),
    Board(
        name="pynq-z2",
        title="TUL PYNQ-Z2",
        part="xc7z020clg400-1",
        bit_part="7z020clg400",
        family="processing_system7",
        arch="armv7l",
        board_part="tul.com.tw:pynq-z2:part0:1.0",
        reference_hz=50_000_000,
        pl_base=0x4000_0000,
        pl_size_bytes=0x4000_0000,
        cma_base=0x1000_0000,
        idcode=0x0372_7093,
        ps_ranges=_ZYNQ_RANGES,
        ps_reset=_ZYNQ_RESET,
    ),
)
BOARDS: dict[str, Board] = {board.name: board for board in _ALL}
"""Boards with a processing system, by name."""


def _artix(name: str, title: str, part: str, board_part: str, idcode: int, uart: UartPort) -> Board:
    """Return a board that is a device, an oscillator and a USB converter."""
    return Board(
        name=name,
        title=title,
        part=part,
        bit_part=part.removeprefix("xc").removesuffix("-1"),
        family="artix7",
        arch="none",
        board_part=board_part,
        reference_hz=uart.clock_hz,
        pl_base=0,  # the bridge's own address map: stream_bench begins at 0
        pl_size_bytes=1 << 22,
        cma_base=0,
        idcode=idcode,
        ps_ranges=(),
        ps_reset=(),
        uart=uart,
    )


# IDCODE: UG470, table 1-1. Pins: Digilent's master constraint files.
UART_BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        _artix(
            "arty-a7",
            "Digilent Arty A7-100T",
            "xc7a100tcsg324-1",
            "digilentinc.com:arty-a7-100:part0:1.1",
            0x0363_1093,
            UartPort(100_000_000, 921_600, "E3", "C2", 0, "A9", "D10", "H5"),
        ),
        _artix(
            "basys3",
            "Digilent Basys 3",
            "xc7a35tcpg236-1",
            "digilentinc.com:basys3:part0:1.2",
            0x0362_D093,
            UartPort(100_000_000, 921_600, "W5", "U18", 1, "B18", "A18", "U16"),
        ),
    )
}
"""Boards without one, reached over a serial line, by name."""


def all_boards() -> dict[str, Board]:
    """Return every board by name."""
    return BOARDS | UART_BOARDS


def find_board(name: str) -> Board:
    """Return the board of that name.

    Raises:
        InputError: There is none.
    """
    known = all_boards()
    try:
        return known[name]
    except KeyError:
        near = difflib.get_close_matches(name, list(known), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise InputError(f"unknown board {name!r}", where="board", hint=hint) from None
