"""Steps on outputs: bit-exact, on inputs that are known and on ones that nobody could know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from harness.errors import BenchmarkError
from harness.firmware.check import Check, equal
from harness.traffic import Schedule
from harness.validate.play import Rows, crc_of, make_rows, play, room, spacing
from harness.validate.step import Number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from harness.manifest import Stream
    from harness.validate.context import Context
    from harness.validate.step import Evidence

GOLDEN_SEED: Final = 1
_EVENTS: Final = {"quick": 1024, "full": 1 << 20}
_ROUNDS: Final = {"quick": 2, "full": 8}
_HINT: Final = "the deployed network is not the overlay's: compare model and weights, and rebuild"
_SHOWN: Final = 8


def golden(context: Context) -> Iterator[Evidence]:
    """Outputs of the golden vectors, which are the same in every validation."""
    yield from _compared(context, "golden vectors", _known(context))
    yield f"{len(_known(context)):,} golden vectors bit-exact"


def fresh(context: Context) -> Iterator[Evidence]:
    """Outputs of inputs drawn now: no store of answers can hold them."""
    total = 0
    for number in range(1, _ROUNDS[context.level] + 1):
        seed = context.random.getrandbits(32)
        yield Number(f"seed_{number}", seed)
        rows = make_rows(context.overlay, "noise", _count(context), seed)
        yield from _compared(context, f"random vectors {number}", rows)
        total += len(rows)
    yield f"{total:,} random vectors bit-exact, drawn now"


def repeated(context: Context) -> Iterator[Evidence]:
    """Outputs of known inputs in another order, of the same input twice, and of two in turn."""
    rows = _known(context)
    count = len(rows)
    seed = context.random.getrandbits(32)
    yield Number("seed", seed)
    generator = np.random.Generator(np.random.PCG64(seed))
    order = generator.permutation(count).astype(np.int64)
    few = order[: count // 2]
    yield from _compared(context, "golden vectors, permuted", rows.picked(order))
    yield from _compared(context, "each twice in a row", rows.picked(np.repeat(few, 2)))
    pairs = np.column_stack([few, few[::-1]]).ravel()
    yield from _compared(context, "two in turn", rows.picked(pairs))
    yield "permuted, twice in a row, two in turn: bit-exact"


def _count(context: Context) -> int:
    return min(room(context.overlay), _EVENTS[context.level])


def _known(context: Context) -> Rows:
    """Return the golden vectors: of a detector that the accelerator is for, or noise."""
    overlay, count = context.overlay, _count(context)
    try:
        return make_rows(overlay, "jets", count, GOLDEN_SEED)
    except BenchmarkError:  # its inputs are not what a jet is described by
        return make_rows(overlay, "noise", count, GOLDEN_SEED)


def _compared(context: Context, what: str, rows: Rows) -> Iterator[Evidence]:
    """Play each row once, slowly enough that nothing is dropped."""
    context.progress.stage(f"comparing {what}")
    events = len(rows)
    samples = play(context, rows, Schedule.gaps_in_cycles((spacing(context),), events))
    counters = samples.counters
    yield equal(f"{what}: events that came out", events, counters.completed, _HINT)
    beats = f"{counters.mismatches} of {counters.output_beats} beats differ"
    if counters.mismatches:
        first = (
            "" if counters.first_mismatch is None else f", first in event {counters.first_mismatch}"
        )
        beats += first + _where(context, rows)
    holds = counters.mismatches == 0
    yield Check(
        f"{what}: outputs",
        "no beat differs",
        beats if not holds else "no beat differs",
        holds,
        _HINT,
    )
    if counters.completed == events:
        wanted, found = crc_of(rows, events), counters.crc
        agree = (wanted == found) == holds
        yield Check(
            f"{what}: CRC-32",
            f"{wanted:#010x}",
            f"{found:#010x}",
            wanted == found,
            _HINT,
            "fail" if agree else "invalid",
            same=False,
        )


def _where(context: Context, rows: Rows) -> str:
    """Return which output bits differ in the first outputs, of which the fabric keeps a copy."""
    overlay = context.overlay
    kept = min(overlay.bench.spy_depth // overlay.output.beats, len(rows))
    event_bytes = overlay.output.event_bytes
    words = context.measuring.spied(kept * event_bytes // 4)
    found = np.frombuffer(words.astype("<u4").tobytes(), np.uint8).reshape(kept, event_bytes)
    bits_found, bits_wanted = (
        np.unpackbits(np.ascontiguousarray(data), axis=1, bitorder="little")
        for data in (found, rows.golden[:kept])
    )
    differ = bits_found != bits_wanted
    bits = np.flatnonzero(differ.any(axis=0))
    if not bits.size:
        return f"; the first {kept} outputs are right"
    return f"; in the first {kept} outputs {_told(bits, bits_found, overlay.output)}"


def _told(bits: NDArray[np.intp], found: NDArray[np.uint8], output: Stream) -> str:
    stuck = [bit for bit in bits if found[:, bit].min() == found[:, bit].max()]
    if len(bits) <= 2 and len(stuck) == len(bits):
        return " and ".join(f"bit {bit} is always {found[0, bit]}" for bit in bits)
    size, values = output.format.width, output.values
    fields = [f"value {bit // size}" if bit // size < values else f"bit {bit}" for bit in bits]
    shown = list(dict.fromkeys(fields))
    return f"{', '.join(shown[:_SHOWN])}{', ...' if len(shown) > _SHOWN else ''} differ"
