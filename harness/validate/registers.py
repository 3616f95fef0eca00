"""Steps on registers.

What they hold after a load, that they keep what is written, that reading them changes nothing, and
that what is not there says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import BusError
from harness.firmware.check import Check, equal
from harness.registers import REGISTERS, UNMAPPED_WORD, WINDOW, Config, Status
from harness.session import BENCH
from harness.validate import play
from harness.validate.step import Skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from harness.validate.context import Context
    from harness.validate.step import Evidence

_ALL: Final = 0xFFFF_FFFF
_FEW: Final = (0, _ALL, 0xA5A5_A5A5, 0x5A5A_5A5A, 0x0000_FFFF, 0xFFFF_0000)
_WALKING: Final = tuple(1 << bit for bit in range(32)) + tuple(_ALL ^ 1 << bit for bit in range(32))
_MASKS: Final = {
    "CONFIG": int(Config.PATH_DMA | Config.BERNOULLI | Config.GAP_TABLE | Config.CHECK_OUTPUT)
}
_HOLES: Final = (0x0_01D0, 0x3_0000, 0x7_0000)
"""Offsets between the registers and windows, where nothing is."""
_WINDOWS: Final = (
    "WAIT_BINS",
    "SERVICE_BINS",
    "TOTAL_BINS",
    "SPY",
    "TRACE",
    "GOLDEN",
    "EVENT",
    "GAP_TABLE",
)
_WINDOW_WORDS: Final = 16
_PROBE_EVENTS: Final = 64
_BUS: Final = "the register port of the fabric, or the way to it, is broken: build or load again"
_CYCLE: Final = ("CYCLE", "CYCLE + 4")


class _Words:
    """Single words of the measuring IP, by byte offset."""

    def __init__(self, context: Context) -> None:
        self._target, self._base = context.opened, context.ranges[BENCH].base

    def read(self, offset: int, words: int = 1) -> NDArray[np.uint32]:
        return self._target.read(self._base + offset, words)

    def get(self, offset: int) -> int:
        return int(self.read(offset)[0])

    def set(self, offset: int, value: int) -> None:
        self._target.write(self._base + offset, np.array([value], np.uint32))


def _own(access: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return the words of stream_bench by name, as offset and reset value."""
    found = {}
    for register in REGISTERS:
        if register.access in access:
            found[register.name] = register.offset, register.reset & _ALL
            if register.words == 2:
                found[f"{register.name} + 4"] = register.offset + 4, register.reset >> 32
    return found


def _accelerators(context: Context, access: Iterable[str]) -> dict[str, tuple[int, int]]:
    base = WINDOW["ACCELERATOR"].offset
    return {
        f"accelerator.{item.name}": (base + item.offset, item.reset)
        for item in context.overlay.accelerator.registers
        if item.access in access
    }


def reset_values(context: Context) -> Iterator[Evidence]:
    """Right after a load every setting has its reset value."""
    if context.board.uart is not None:
        raise Skip("nothing is loaded over a serial line, so nothing was reset")
    words = _Words(context)
    known = _own({"rw"}) | _accelerators(context, {"rw"})
    for name, (offset, reset) in known.items():
        yield equal(name, f"{reset:#x}", f"{words.get(offset):#x}", _BUS)
    yield f"{len(known)} settings"


def keeps_what_is_written(context: Context) -> Iterator[Evidence]:
    """Every setting keeps every bit, alone and beside the others; afterwards all is as before."""
    words = _Words(context)
    context.measuring.reset()  # nothing runs, so nothing is set amiss meanwhile
    known = _own({"rw"}) | _accelerators(context, {"rw"})
    before = {name: words.get(offset) for name, (offset, _) in known.items()}
    bounded = {
        f"accelerator.{item.name}": item.kept
        for item in context.overlay.accelerator.registers
        if item.most is not None
    }
    try:
        for name, (offset, reset) in known.items():
            patterns = _WALKING if name == "SCRATCH" or context.full else _FEW
            read = {pattern: _echo(words, offset, pattern) for pattern in (*_FEW, *patterns)}
            mask, kept = _MASKS.get(name, _ALL), bounded.get(name, int)
            if name.startswith("accelerator.") and name not in bounded:
                # How many bits such a register has is its own business; those it has it must keep.
                mask = int(np.bitwise_or.reduce(list(read.values()))) | reset
            lost = [p for p, value in read.items() if value != kept(p) & mask]
            first = f"{lost[0]:#010x} came back as {read[lost[0]]:#010x}" if lost else ""
            told = first or f"{len(read)} patterns kept"
            yield Check(
                name, "what is written is read", told, not lost and mask != 0, _BUS, same=not first
            )
        yield _aliases(words, known)
    finally:
        for name, (offset, _) in known.items():
            words.set(offset, before[name])
    yield f"{len(known)} settings, {len(_WALKING)} patterns in SCRATCH; all restored"


def _echo(words: _Words, offset: int, value: int) -> int:
    words.set(offset, value)
    return words.get(offset)


def _aliases(words: _Words, known: dict[str, tuple[int, int]]) -> Check:
    """Write another value to each register, upwards and downwards, and read them all each time."""
    wide = [n for n in known if n not in _MASKS and not n.startswith("accelerator.")]
    amiss: list[str] = []
    for order in (wide, wide[::-1]):
        values = {name: 0xC0DE_0000 | number for number, name in enumerate(order)}
        for name, value in values.items():
            words.set(known[name][0], value)
        amiss += [n for n in wide if words.get(known[n][0]) != values[n] and n not in amiss]
    told = ", ".join(amiss) or "none overwritten"
    what = "every register is one of its own"
    return Check(what, "none overwritten", told, not amiss, _BUS)


def memories(context: Context) -> Iterator[Evidence]:
    """The memories keep what is written, at both ends and where an address line changes."""
    words, sizes, overlay = _Words(context), context.overlay.bench, context.overlay
    context.measuring.reset()
    generator = np.random.Generator(np.random.PCG64(context.random.getrandbits(64)))
    for window, size, mask in (
        ("GAP_TABLE", sizes.gap_entries, 0xFFFF),
        ("GOLDEN", sizes.golden_rows * overlay.output.beat_bytes // 4, _ALL),
        ("EVENT", sizes.event_rows * overlay.input.beat_bytes // 4, _ALL),
    ):
        bits = range(size.bit_length())
        places = sorted(
            {0, size - 1, *(at for b in bits for at in (1 << b, (1 << b) - 1) if at < size)}
        )
        values = generator.integers(0, mask + 1, len(places), np.uint64).tolist()
        base = WINDOW[window].offset
        for place, value in zip(places, values, strict=True):
            words.set(base + 4 * place, value)
        amiss = [p for p, v in zip(places, values, strict=True) if words.get(base + 4 * p) != v]
        told = f"word {amiss[0]} and {len(amiss) - 1} others differ" if amiss else "kept"
        yield Check(window, "kept", told, not amiss, _BUS)
    yield "ends and address lines of 3 memories"


def no_side_effects(context: Context) -> Iterator[Evidence]:
    """Reading twice, upwards and downwards, gives the same, and moves no counter."""
    bench = context.measuring
    if context.load:
        if not context.silent:
            play.probe(context, _PROBE_EVENTS)
        bench.snapshot()
    words = _Words(context)
    names = _own({"ro", "rw", "wo"}) | _accelerators(context, {"ro", "rw"})
    passes = [_sweep(words, names, order) for order in ("up", "up", "down", "down")]
    ignored = _ignored(context, passes)
    moved = sorted(
        name
        for name in names
        if name not in ignored and len({values[name] for values in passes}) > 1
    )
    told = "; ".join(f"{name}: {' '.join(f'{v[name]:#x}' for v in passes)}" for name in moved[:3])
    hint = "a register acts when it is read: no bus may do that, and remote servers read twice"
    yield Check(
        f"{len(names)} registers, read four times", "the same", told or "the same", not moved, hint
    )
    if context.load:
        bench.snapshot()
        again = _sweep(words, names, "up")
        moved = [n for n in names if n not in (*_CYCLE, "STATUS") and again[n] != passes[0][n]]
        yield Check(
            "counters after that", "as before", ", ".join(moved) or "as before", not moved, hint
        )
        for window in _WINDOWS:
            first, second = (words.read(WINDOW[window].offset, _WINDOW_WORDS) for _ in range(2))
            same = bool((first == second).all())
            told = "the same" if same else "other values"
            yield Check(f"{window}, read twice", "the same", told, same, hint)
    yield f"{len(names)} registers" + (f", {len(_WINDOWS)} windows" if context.load else "")


def _sweep(words: _Words, names: dict[str, tuple[int, int]], order: str) -> dict[str, int]:
    ordered = list(names) if order == "up" else list(reversed(names))
    return {name: words.get(names[name][0]) for name in ordered}


def _ignored(context: Context, passes: list[dict[str, int]]) -> set[str]:
    """Return what somebody else may have moved meanwhile: counters after a snapshot, the status."""
    if context.load:
        return set()
    others = len({values["CYCLE"] for values in passes}) > 1
    counters = {r.name for r in REGISTERS if r.access == "ro" and r.offset >= 0x100}
    counters |= {f"{name} + 4" for name in counters}
    running = any(values["STATUS"] & Status.RUNNING for values in passes)
    return (counters if others else set()) | ({"STATUS"} if running or others else set())


def unmapped(context: Context) -> Iterator[Evidence]:
    """What is not there is refused, and not answered with something."""
    if not context.opened.survives_bus_errors:
        raise Skip("a refused access would end the process that makes it (SIGBUS)")
    words = _Words(context)
    for offset in _HOLES:
        try:
            value = words.get(offset)
            told, holds = f"{value:#010x}, without an error", False
        except BusError as error:
            if "stopped" in error.what:
                raise
            holds = "no answer" not in error.why
            told = "refused" if holds else error.why
        yield Check(
            f"word at {offset:#08x}",
            f"refused (SLVERR, {UNMAPPED_WORD:#010x})",
            told,
            holds,
            _BUS,
            same=False,
        )
    yield f"{len(_HOLES)} holes answer with an error"
