"""A network whose layers have registers: two of a kind only for tests, a gearbox between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from harness.accelerators import Block, Model, NumberFormat, Tensor
from harness.accelerators.layers.regroup import Regroup
from harness.generate.accelerator import network_top, register_bases
from tests.gateware.networks import SOURCES
from tests.gateware.rtl import TOPS, Design

BITS = 32


@dataclass(frozen=True)
class Masked:
    """Turns bits over; two words of registers, or as many as a test says there are."""

    input: Tensor
    words: int = 2
    stateful: bool = False
    interval: int = 1
    work: None = None

    @property
    def output(self) -> Tensor:
        """As the input."""
        return self.input

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values: after reset no bit is turned over."""
        return values

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return the same cycles."""
        return list(arrivals)

    def blocks(self) -> tuple[Block, ...]:
        """Return the block."""
        lanes, width = self.input.lanes, self.input.format.width
        parameters = {"Lanes": lanes, "Width": width}
        return (Block("nn_masked", lanes, width, parameters, cfg_words=self.words),)


def masked(first: int = 2, second: int = 2) -> Model:
    """Return the network, its layers with so many words of registers."""
    wide = Tensor(1, 4, NumberFormat(8, 8, signed=False))
    regroup = Regroup(wide, 1)
    return Model(
        "masked", wide, (Masked(wide, first), regroup, Masked(regroup.output, second)), "values"
    )


MODEL = masked()
BASES = tuple(register_bases([block for _, block in MODEL.blocks()]).values())
DESIGN = Design(
    "masked",
    (*SOURCES, TOPS / "nn_masked.sv"),
    {"masked.sv": network_top(MODEL, BITS, BITS)},
)
