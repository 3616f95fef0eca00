"""Everything a validation looks at, in order."""

from __future__ import annotations

from typing import Final

from harness.validate import board, files, outputs, registers, timing, weights
from harness.validate.step import Step

__all__ = ["STEPS"]

_FILES: Final = ("file.header", "file.packets", "file.record")
_FABRIC: Final = ("load", "identity")

STEPS: Final[tuple[Step, ...]] = (
    Step("file.header", "the .bit is whole and for this board", files.header, passive=True),
    Step("file.packets", "sync word, IDCODE, CRC", files.packets, ("file.header",), passive=True),
    Step("file.record", "SHA-256 and digest", files.record, ("file.header",), passive=True),
    Step("hwh.build", "the .hwh is of the same build", files.build, ("file.header",), passive=True),
    Step("hwh.design", "the .hwh is of the manifest", files.design, passive=True),
    Step(
        "load",
        "the board takes the image",
        board.load,
        (*_FILES, "hwh.build", "hwh.design"),
        passive=True,
    ),
    Step("board.state", "fpga_manager", board.configuration, ("load",), passive=True),
    Step("identity", "identity block", board.identity, ("load",), passive=True),
    Step(
        "registers.reset",
        "reset values",
        registers.reset_values,
        _FABRIC,
        why_not="settings are those of whoever runs it",
    ),
    Step("clock", "measured clock", board.clock, _FABRIC, passive=True),
    Step("counters", "counters of the last snapshot", board.counters, _FABRIC, passive=True),
    Step(
        "registers.write", "settings keep what is written", registers.keeps_what_is_written, _FABRIC
    ),
    Step("registers.memory", "memories keep what is written", registers.memories, _FABRIC),
    Step(
        "registers.unmapped",
        "what is not there is refused",
        registers.unmapped,
        _FABRIC,
        why_not="it provokes an error on the bus",
    ),
    Step("outputs.golden", "golden vectors", outputs.golden, _FABRIC),
    Step("outputs.fresh", "random vectors", outputs.fresh, _FABRIC),
    Step("outputs.repeated", "permuted and repeated inputs", outputs.repeated, _FABRIC),
    Step(
        "registers.read",
        "reads have no side effect",
        registers.no_side_effects,
        _FABRIC,
        passive=True,
    ),
    Step("weights", "where the weights are, bytes off chip", weights.where, _FABRIC, passive=True),
    Step("latency", "latency of single events", timing.latency, _FABRIC),
    Step("interval", "initiation interval", timing.interval, _FABRIC),
    Step("rate", "rate held, nothing lost, nothing late", timing.rate, (*_FABRIC,)),
    Step(
        "rate.random",
        "random arrivals as theory has them",
        timing.at_random,
        _FABRIC,
        full_only=True,
    ),
    Step("temperature", "temperature of the die", board.temperature, ("load",), passive=True),
)
