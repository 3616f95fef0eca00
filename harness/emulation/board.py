"""The virtual board: processing system, contiguous memory, DMAs, and a configurable fabric.

The fabric is real RTL for the overlays of this harness, and models in Python for other designs.

Its address space is that of the loaded `.hwh`. An access outside it raises at once, where a real
board hangs its processor. Board time advances with fabric cycles and with nothing else: an access
costs `ACCESS_CYCLES`, and `elapse` runs the fabric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness.bitfile import parse_bit
from harness.emulation import acceptance
from harness.emulation.clocks import PsRegisters
from harness.emulation.dma import AxiDma
from harness.emulation.hwh import Hwh, HwhRange, parse_hwh
from harness.emulation.memory import ContiguousMemory
from harness.emulation.models import IpModel, ModelStreams, make_models, stages
from harness.errors import BusError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.emulation.hwh import HwhModule
    from harness.inventory import Board

__all__ = ["ACCESS_CYCLES", "FabricLike", "VirtualBoard"]

ACCESS_CYCLES = 32
"""Fabric cycles that one register access takes, whatever it reaches."""
CMA_BYTES = 128 << 20
"""Contiguous memory that boards have by default."""
STILL_ACCESS_NS = 320
"""Board time of an access while no fabric clock runs, so that no deadline waits for ever."""
_SERVICE_CYCLES = 256  # how long a DMA transfer may wait for its next look at the streams
_NS = 1_000_000_000
_NEAREST = 2


class FabricLike(Protocol):
    """A running fabric: registers, two streams, a clock. Every call may advance it."""

    @property
    def cycle(self) -> int:
        """Clock cycles since it was made."""

    @property
    def unsent(self) -> int:
        """Beats pushed and not yet taken by the fabric."""

    def run(self, cycles: int) -> None:
        """Advance."""

    def read(self, offset: int, words: int) -> NDArray[np.uint32]:
        """Read consecutive registers, by byte offset; raises BusError on SLVERR."""

    def write(self, offset: int, words: NDArray[np.uint32]) -> None:
        """Write consecutive registers, by byte offset; raises BusError on SLVERR."""

    def push(self, data: bytes, last: bool) -> None:
        """Queue whole beats towards the fabric; `last` puts TLAST on the final one."""

    def pop(self, max_bytes: int) -> tuple[bytes, bool]:
        """Take whole beats that came out, up to a TLAST; whether they end with one."""

    def flush(self) -> None:
        """Forget what is queued either way."""

    def attach(self, arena: ContiguousMemory, clock: Callable[[], Fraction | None]) -> None:
        """Let its memory port, if it has one, read `arena`; `clock` says its clock in Hz."""

    def close(self) -> None:
        """Give it back; twice is harmless."""


class VirtualBoard:
    """One board. Not for use by several threads at once.

    Args:
        board: Which kind to be.
        build: Makes the fabric of an overlay digest (32 hex digits); raises OverlayError if it
            knows none of that digest.
        cma_bytes: Contiguous memory.
        access_cycles: Fabric cycles that one register access takes.
    """

    def __init__(
        self,
        board: Board,
        build: Callable[[str], FabricLike],
        cma_bytes: int = CMA_BYTES,
        access_cycles: int = ACCESS_CYCLES,
    ) -> None:
        self.board = board
        self.memory = ContiguousMemory(board.cma_base, cma_bytes)
        self.state = "unknown"
        """As `/sys/class/fpga_manager/fpga0/state` says it."""
        self.loads = 0
        """Configurations so far; another count than before means someone else loaded."""
        self._build = build
        self._access_cycles = access_cycles
        self._ps = PsRegisters(board)
        self._fabric: FabricLike | None = None
        self._design: Hwh | None = None
        self._dmas: dict[str, AxiDma] = {}
        self._models: dict[str, IpModel] = {}
        self._epoch_ns = Fraction(0)
        self._epoch_cycle = 0

    # ------------------------------------------------------------------ configuration

    @property
    def design(self) -> Hwh | None:
        """What is loaded, or none."""
        return self._design

    @property
    def pl_clock_hz(self) -> Fraction | None:
        """Frequency of the fabric clock, exact; none while it stands still."""
        return self._ps.pl_clock_hz()

    def load(self, bit: bytes, hwh_text: str) -> Hwh:
        """Configure the fabric. After a failure nothing is configured and `state` says so.

        Args:
            bit: A whole `.bit` file.
            hwh_text: The `.hwh` that belongs to it.

        Raises:
            ImageError: The image is broken, for another part, no emulation image, or does not
                belong to the `.hwh`.
            HarnessError: As `build` raises.
        """
        self.close()
        self.state = "write error"
        facts = acceptance.check_emulation_image(self.board, parse_bit(bit), hwh_text)
        design = parse_hwh(hwh_text)
        acceptance.check_emulated_design(self.board, design)
        fabric = self._build(facts["digest"])
        fabric.attach(self.memory, lambda: self.pl_clock_hz)
        self._fold()
        self._fabric, self._design = fabric, design
        self._epoch_cycle = fabric.cycle
        self._dmas = {core.instance: AxiDma(core, self.memory, fabric) for core in design.dmas}
        self._models = make_models(design, {})
        self.loads += 1
        self.state = "operating"
        return design

    def load_models(
        self,
        bit: bytes,
        hwh_text: str,
        models: Mapping[str, Callable[[HwhModule], IpModel]],
    ) -> Hwh:
        """Configure the fabric with models of a design that somebody else has built.

        Args:
            bit: A whole `.bit` file; of its payload nothing is simulated.
            hwh_text: The `.hwh` that belongs to it.
            models: Makers of models, by instance or beginning of the VLNV.

        Raises:
            ImageError: The image is broken or for another part, or the `.hwh` is not of this board.
            InputError: A stream leads to IP without a model.
        """
        self.close()
        self.state = "write error"
        acceptance.check_part(self.board, parse_bit(bit))
        design = parse_hwh(hwh_text)
        acceptance.check_family(self.board, design)
        made = make_models(design, models)
        dmas = {
            core.instance: AxiDma(
                core,
                self.memory,
                ModelStreams(stages(design, core.instance, made), max(core.s2mm_bytes, 1)),
            )
            for core in design.dmas
        }
        self._fold()
        self._design, self._models, self._dmas = design, made, dmas
        self.loads += 1
        self.state = "operating"
        return design

    def close(self) -> None:
        """Take the fabric away; contiguous memory and the processing system stay."""
        self._fold()
        if self._fabric is not None:
            self._fabric.close()
        self._fabric = self._design = None
        self._dmas, self._models = {}, {}
        self.state = "unknown"

    # ------------------------------------------------------------------ time

    def now_ns(self) -> int:
        """Return board time, whole nanoseconds since the board was made."""
        return int(self._now())

    def elapse(self, ns: int) -> None:
        """Let at least `ns` nanoseconds of board time pass.

        Raises:
            BusError: The RTL stopped.
        """
        frequency = self.pl_clock_hz
        if self._fabric is None or frequency is None:
            self._epoch_ns += ns
            return
        self._advance(-(-ns * frequency.numerator // (_NS * frequency.denominator)))

    def _now(self) -> Fraction:
        frequency = self.pl_clock_hz
        if self._fabric is None or frequency is None:
            return self._epoch_ns
        return self._epoch_ns + (self._fabric.cycle - self._epoch_cycle) * _NS / frequency

    def _fold(self) -> None:
        """Start a new stretch of time, because the clock or the fabric is about to change."""
        self._epoch_ns = self._now()
        self._epoch_cycle = self._fabric.cycle if self._fabric is not None else 0

    def _advance(self, cycles: int) -> None:
        while self._fabric is not None and cycles > 0:
            busy = any(dma.busy for dma in self._dmas.values())
            step = min(cycles, _SERVICE_CYCLES) if busy else cycles
            self._fabric.run(step)
            cycles -= step
            self._service()

    def _service(self) -> None:
        for dma in self._dmas.values():
            dma.service()

    def _spend(self, before: int) -> None:
        """Let an access that began at cycle `before` take its time."""
        if self._fabric is None or self.pl_clock_hz is None:
            self._epoch_ns += STILL_ACCESS_NS
            self._service()
            return
        self._advance(self._access_cycles - (self._fabric.cycle - before))

    # ------------------------------------------------------------------ access

    def read(self, address: int, size_bytes: int) -> bytes:
        """Return consecutive 32-bit registers, little-endian.

        Args:
            address: Physical, a multiple of 4.
            size_bytes: A multiple of 4.

        Raises:
            BusError: The range is not mapped, not aligned, or answered with an error.
        """
        before = self._cycle()
        offset, where = self._decode(address, size_bytes)
        if where is None:
            data = _words(self._ps.read(at) for at in range(address, address + size_bytes, 4))
        elif (registers := self._registers(where)) is not None:
            data = _words(registers.read(at) for at in range(offset, offset + size_bytes, 4))
        else:
            data = self._reach(where).read(offset, size_bytes // 4).astype("<u4").tobytes()
        self._spend(before)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write consecutive 32-bit registers, little-endian.

        Args:
            address: Physical, a multiple of 4.
            data: Whole words.

        Raises:
            BusError: The range is not mapped, not aligned, or answered with an error.
        """
        before = self._cycle()
        offset, where = self._decode(address, len(data))
        words = np.frombuffer(data, "<u4").astype(np.uint32)
        if where is None:
            self._fold()  # the old clock counts up to here, the new one from here
            for index, word in enumerate(words.tolist()):
                self._ps.write(address + 4 * index, word)
        elif (registers := self._registers(where)) is not None:
            for index, word in enumerate(words.tolist()):
                registers.write(offset + 4 * index, word)
        else:
            self._reach(where).write(offset, words)
        self._spend(before)

    def _cycle(self) -> int:
        return self._fabric.cycle if self._fabric is not None else 0

    def _decode(self, address: int, size_bytes: int) -> tuple[int, HwhRange | None]:
        """Return offset and range of an access; no range is the processing system."""
        if address < 0 or address % 4 or size_bytes % 4 or size_bytes <= 0:
            raise BusError(
                f"{size_bytes} bytes at {address:#x} are not whole aligned words",
                where=f"virtual {self.board.name}",
            )
        ranges = self._design.ranges if self._design is not None else ()
        for item in ranges:
            if item.base <= address and address + size_bytes <= item.base + item.size_bytes:
                if self.pl_clock_hz is None:
                    raise BusError(
                        f"the fabric clock stands still, so {address:#x} cannot answer",
                        where=item.instance,
                        why="a real board would hang",
                        hint="set the clock first",
                    )
                return address - item.base, item
        if self._ps.holds(address, size_bytes):
            return 0, None
        raise self._unmapped(address, size_bytes, ranges)

    def _unmapped(self, address: int, size_bytes: int, ranges: tuple[HwhRange, ...]) -> BusError:
        known = [(item.instance, item.base, item.size_bytes) for item in ranges]
        known += [(item.name, item.base, item.size_bytes) for item in self.board.ps_ranges]
        known.sort(key=lambda item: max(item[1] - address, address - item[1] - item[2] + 1))
        nearest = ", ".join(
            f"{name} {base:#x}..{base + size - 1:#x}" for name, base, size in known[:_NEAREST]
        )
        fabric = "" if ranges else "nothing is configured; "
        return BusError(
            f"{size_bytes} bytes at {address:#x} are not mapped",
            where=f"virtual {self.board.name}",
            why=f"{fabric}nearest: {nearest}; a real board would hang",
        )

    def _registers(self, where: HwhRange) -> AxiDma | IpModel | None:
        return self._dmas.get(where.instance) or self._models.get(where.instance)

    def _reach(self, where: HwhRange) -> FabricLike:
        if self._fabric is None or acceptance.FABRIC not in where.vlnv:
            raise BusError(
                "is not modelled",
                where=where.instance,
                why=f"its IP is {where.vlnv}",
                hint=f"serve with --model {where.instance}=FILE.py:Class",
            )
        return self._fabric


def _words(values: Iterable[int]) -> bytes:
    return np.fromiter(values, "<u4").tobytes()
