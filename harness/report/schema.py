"""The schema of `result.json`, and the check that something read follows it."""

from __future__ import annotations

from types import UnionType
from typing import (
    Any,
    Final,
    Literal,
    TypedDict,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from harness.errors import StorageError
from harness.report.quality_schema import Quality

SCHEMA: Final = 1
TimeBase = Literal["fabric", "simulated fabric", "host"]


class Value(TypedDict):
    """A time, counted and converted."""

    cycles: float
    ns: float


class ReasonItem(TypedDict):
    """One reason of the verdict; see `harness.measure.evidence.Reason`."""

    effect: str
    what: str
    evidence: str
    recommendation: str


class IntervalItem(TypedDict):
    """A confidence interval; see `harness.measure.confidence.Interval`."""

    low: Value | None
    high: Value | None
    tau: float | None
    effective_events: int | None
    reason: str


class Confidence(TypedDict):
    """Intervals of the percentiles, each covering the true one with probability `level`."""

    level: float
    p50: IntervalItem
    p99: IntervalItem
    p999: IntervalItem


class LaterLatency(TypedDict, total=False):
    """Keys that latencies of schema 1 have had only since some time: readers do without them."""

    confidence: Confidence


class Latency(LaterLatency):
    """One of the three latencies; `reasons` says why a value is null."""

    count: int
    overflow: int
    min: Value | None
    max: Value | None
    mean: Value | None
    p50: Value | None
    p99: Value | None
    p999: Value | None
    reasons: dict[str, str]


class Latencies(TypedDict):
    """The three latencies; total = wait + service."""

    wait: Latency
    service: Latency
    total: Latency


class Named(TypedDict):
    """A definition by name, and by the digest of what it said."""

    name: str
    digest: str


class ClockBasics(TypedDict):
    """The fabric clock: built for, given by the board's dividers, counted."""

    nominal_hz: float
    set_hz: float
    measured_hz: float


class ClockHz(ClockBasics, total=False):
    """The same, with what earlier results do not say; the true clock is within `uncertainty_hz`."""

    asked_hz: float
    uncertainty_hz: float


class Events(TypedDict):
    """What became of the events; null where the fabric was not read."""

    scheduled: int | None
    completed: int | None
    dropped: int | None
    in_flight: int | None
    distinct: int


class Rate(TypedDict):
    """Mean rate of the schedule, and of completed events over it."""

    target_hz: float
    achieved_hz: float | None


class Deadline(TypedDict):
    """Largest total in time, null for none, and how many were later."""

    cycles: int | None
    misses: int | None


class Queue(TypedDict):
    """Events that waited at most, and that might."""

    max_depth: int | None
    limit: int


class Output(TypedDict):
    """What was computed against what the golden model computes; null where nothing can tell."""

    crc: int | None
    crc_expected: int | None
    bit_exact: bool | None
    mismatches: int | None
    first_mismatch: int | None
    beats: int | None


class TheoryItem(TypedDict):
    """A number that was predicted exactly; see `harness.measure.theory.Quantity`."""

    name: str
    predicted: float | None
    measured: float | None
    agrees: bool | None
    reason: str


class ClosedFormItem(TypedDict):
    """A closed form; `low` and `high` limit what a run of this length may show."""

    name: str
    model: str
    predicted: float
    low: float | None
    high: float | None
    measured: float | None
    agrees: bool | None
    reason: str


class Theory(TypedDict):
    """What theory says of the run; `model` is null where `reason` says why it says nothing."""

    model: str | None
    places: int
    interval_cycles: int | None
    latency_cycles: int | None
    events: int
    whole: bool
    exact: list[TheoryItem]
    closed_forms: list[ClosedFormItem]
    agrees: bool | None
    reason: str


class Weights(TypedDict):
    """Where the weights lived; see `harness.architecture.residency.Residency`."""

    residency: str
    bytes: int | None
    off_chip_bytes_per_inference: float | None
    basis: str


class RuntimeWeights(TypedDict):
    """The model file whose weights were written into registers before the run."""

    file: str
    sha256: str


class Memory(TypedDict):
    """External memory: what was read from it; `resident_share` of the weights lay on chip.

    What was fetched and not used was read ahead for an event that did not come. `model` names the
    memory in `harness.memories`, also where it is a board's own; null if that is not known there.
    """

    model: str | None
    outstanding: int
    bytes_fetched: int
    bytes_used: int
    bytes_per_inference: float | None
    bytes_per_inference_expected: int
    resident_share: float
    stalled_cycles: int


class Groups(TypedDict):
    """How events belong together, in a loop; see `harness.traffic.groups.Groups`."""

    name: str
    item: str
    sizes: list[int]


class Arrival(TypedDict):
    """The arrival process by its name in benchmark files, and its trains, frames and so on."""

    process: str
    groups: Groups | None


class Decision(TypedDict):
    """Time from the last of several input beats to the result; `reason` says why a value is null.

    See `harness.measure.decision`.
    """

    input_beats: int
    min: Value | None
    p99: Value | None
    max: Value | None
    reason: str


class Later(TypedDict, total=False):
    """Keys that results of schema 1 have had only since some time: readers do without them."""

    theory: Theory | None
    weights: Weights | None
    arrival: Arrival
    memory: Memory  # only of overlays with a port to it
    decision: Decision  # only of overlays whose events have several input beats
    quality: Quality
    runtime_weights: RuntimeWeights  # only where they are not those of the image


class Result(Later):
    """Content of `result.json`, schema 1."""

    schema: int
    verdict: str
    reasons: list[ReasonItem]
    time_base: str
    target: str
    overlay: Named
    benchmark: Named
    seeds: dict[str, int]
    clock: ClockHz
    events: Events
    rate: Rate
    latency: Latencies
    deadline: Deadline
    queue: Queue
    output: Output
    facts: dict[str, Any]


def check(content: object, where: str) -> Result:
    """Return parsed JSON as a result, if it is one.

    Args:
        content: What a `result.json` holds.
        where: The file, for errors.

    Raises:
        StorageError: It has a schema that this harness does not know, or lacks something.
    """
    schema = content.get("schema") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise StorageError(
            f"was written by a newer harness, in schema {schema}",
            where=where,
            why=f"this one reads up to {SCHEMA}",
            hint="update the harness",
        )
    wrong = _wrong(content, Result, "")
    if wrong or schema != SCHEMA:
        raise StorageError("is not a result", where=where, why=wrong or f"schema is {schema!r}")
    return cast("Result", content)


def mistake(content: object, kind: Any) -> str:
    """Return the first key of parsed JSON that is missing or of another type than `kind` says.

    Args:
        content: What a file holds.
        kind: A TypedDict.

    Returns:
        One clause, empty if all is well.
    """
    return _wrong(content, kind, "")


def _wrong(value: object, kind: Any, key: str) -> str:
    """Return the first key that is missing or of another type, empty if all is well."""
    if is_typeddict(kind):
        if not isinstance(value, dict):
            return f"{key or 'it'} is not a table"
        for name, inner in get_type_hints(kind).items():
            path = f"{key}.{name}" if key else name
            if name in value:
                wrong = _wrong(value[name], inner, path)
            else:
                wrong = f"{path} is missing" if name in kind.__required_keys__ else ""
            if wrong:
                return wrong
        return ""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        found = [_wrong(value, choice, key) for choice in inner]
        # The last choice is None; what the first one finds wrong tells more.
        return "" if "" in found else found[0]
    if origin is list and isinstance(value, list):
        return next(filter(None, (_wrong(item, inner[0], key) for item in value)), "")
    if origin is dict and isinstance(value, dict):
        return next(filter(None, (_wrong(item, inner[1], key) for item in value.values())), "")
    accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if kind is Any or (type(value) in accepted and origin is None):
        return ""
    return f"{key} is of the wrong type"
