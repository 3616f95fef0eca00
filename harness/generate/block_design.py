"""The block design around `fabric_top`: what the `.hwh` describes and the Vivado script builds.

    processing system -- control interconnect -- stream_bench_0, axi_dma_0 (registers)
    axi_dma_0 == streams == stream_bench_0
    where the manifest wants one: axi_gpio_leds (registers), its outputs open
    where the overlay has a port to memory: stream_bench_0 -- memory interconnect
    axi_dma_0 -- memory interconnect -- processing system (memory port)

One clock from the processing system drives everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.ps_clocks import ClockPlan, boot_reader, plan_pl_clock
from harness.registers import ADDRESS_BITS

if TYPE_CHECKING:
    from harness.inventory import Board
    from harness.overlay import Overlay

DMA = "axi_dma_0"
BENCH = "stream_bench_0"
GPIO = "axi_gpio_leds"
CONTROL_INTERCONNECT = "axi_smc_control"
MEMORY_INTERCONNECT = "axi_smc_memory"
RESET = "proc_sys_reset_0"
BENCH_BYTES = 1 << ADDRESS_BITS
DMA_BYTES = 0x1_0000
GPIO_BYTES = 0x1_0000
LENGTH_BITS = 26
MEMORY_BYTES = {"zynq_ultra_ps_e": 0x8000_0000, "processing_system7": 0x2000_0000}


@dataclass(frozen=True, slots=True)
class PsNames:
    """What a family's processing system calls the things the design connects to."""

    instance: str
    vlnv: str
    clock: str
    reset: str
    control_bus: str
    control_ports: str
    control_clock: str
    control_bits: int
    memory_bus: str
    memory_ports: str
    memory_clock: str
    memory_bits: int
    memory_segment: str


PS_NAMES = {
    "zynq_ultra_ps_e": PsNames(
        instance="zynq_ultra_ps_e_0",
        vlnv="xilinx.com:ip:zynq_ultra_ps_e:3.5",
        clock="pl_clk0",
        reset="pl_resetn0",
        control_bus="M_AXI_HPM0_FPD",
        control_ports="maxigp0_",
        control_clock="maxihpm0_fpd_aclk",
        control_bits=128,
        memory_bus="S_AXI_HP0_FPD",
        memory_ports="saxigp2_",
        memory_clock="saxihp0_fpd_aclk",
        memory_bits=128,
        memory_segment="HP0_DDR_LOW",
    ),
    "processing_system7": PsNames(
        instance="processing_system7_0",
        vlnv="xilinx.com:ip:processing_system7:5.5",
        clock="FCLK_CLK0",
        reset="FCLK_RESET0_N",
        control_bus="M_AXI_GP0",
        control_ports="M_AXI_GP0_",
        control_clock="M_AXI_GP0_ACLK",
        control_bits=32,
        memory_bus="S_AXI_HP0",
        memory_ports="S_AXI_HP0_",
        memory_clock="S_AXI_HP0_ACLK",
        memory_bits=64,
        memory_segment="HP0_DDR_LOWOCM",
    ),
}


@dataclass(frozen=True, slots=True)
class BlockDesign:
    """One overlay on one board.

    Args:
        overlay: What is built.
        board: For which board.
        ps: Names of its processing system.
        clock: How the fabric clock is made, with the PLLs as boot leaves them.
        bench_base: Physical address of stream_bench_0.
        dma_base: Physical address of axi_dma_0.
        gpio_base: Physical address of axi_gpio_leds, where there is one.
    """

    overlay: Overlay
    board: Board
    ps: PsNames
    clock: ClockPlan
    bench_base: int
    dma_base: int
    gpio_base: int

    @property
    def gpio_parameters(self) -> dict[str, str]:
        """Parameters of the AXI GPIO, as its IP names them; none without one."""
        bits = self.overlay.gpio_bits
        return {"C_GPIO_WIDTH": str(bits), "C_ALL_OUTPUTS": "1"} if bits else {}

    @property
    def dma_parameters(self) -> dict[str, str]:
        """Parameters of the AXI DMA, as its IP names them: direct mode, no realignment."""
        mm2s, s2mm = self.overlay.input.width_bits, self.overlay.output.width_bits
        return {
            "c_include_sg": "0",
            "c_enable_multi_channel": "0",
            "c_sg_length_width": str(LENGTH_BITS),
            "c_micro_dma": "0",
            "c_include_mm2s": "1",
            "c_m_axi_mm2s_data_width": str(mm2s),
            "c_m_axis_mm2s_tdata_width": str(mm2s),
            "c_include_mm2s_dre": "0",
            "c_mm2s_burst_size": "16",
            "c_include_s2mm": "1",
            "c_m_axi_s2mm_data_width": str(s2mm),
            "c_s_axis_s2mm_tdata_width": str(s2mm),
            "c_include_s2mm_dre": "0",
            "c_s2mm_burst_size": "16",
            "c_addr_width": "32",
        }


def block_design(overlay: Overlay, board: Board) -> BlockDesign:
    """Lay an overlay out on a board.

    Raises:
        BoardError: The board cannot make the overlay's clock.
    """
    return BlockDesign(
        overlay,
        board,
        PS_NAMES[board.family],
        plan_pl_clock(board, overlay.clock_hz, boot_reader(board)),
        board.pl_base,
        board.pl_base + BENCH_BYTES,
        board.pl_base + BENCH_BYTES + DMA_BYTES,
    )
