"""The schema of `tiny.json`, the result of MLPerf Tiny's modes; and how it is checked."""

from __future__ import annotations

from typing import Any, Final, TypedDict, cast

from harness.errors import StorageError
from harness.report.schema import ReasonItem, mistake

SCHEMA: Final = 1
KIND: Final = "mlperf_tiny"


class Spread(TypedDict):
    """Median and extremes over the runs."""

    median: float
    min: float
    max: float


class Clocked(TypedDict):
    """What one clock says, over the runs; null without runs, or where the clock stood still."""

    time_base: str
    inferences_per_s: Spread | None
    inference_us: Spread | None


class Device(Clocked):
    """The same by the device's clock, and whose clock that is.

    `simulated` says that the device gives simulated time. `resolution_us` is the granularity its
    stamps show.
    """

    simulated: bool
    name: str
    profile: str
    model: str
    resolution_us: int


class DeviceTime(TypedDict):
    """Stamps of one run by the device's clock."""

    start_us: int
    end_us: int
    elapsed_us: int


class HostTime(TypedDict):
    """Times of one run by this host: stamp to stamp, and the whole command."""

    elapsed_ns: int
    command_ns: int


class RunItem(TypedDict):
    """One run of performance mode."""

    event: int
    iterations: int
    warmups: int
    device: DeviceTime
    host: HostTime
    results: list[float]
    golden: bool


class Rules(TypedDict):
    """How much was asked for, and whether that is what MLPerf Tiny asks for."""

    runs: int
    least_ns: int
    least_inferences: int
    warmups: int
    official: bool


class Outputs(TypedDict):
    """How many result vectors were the golden model's, as far as digits were printed."""

    compared: int
    mismatches: int
    first_mismatch: int | None


class Accuracy(TypedDict):
    """Top-1 over labelled inputs; `golden_top1` is what the golden model reaches on the same."""

    inputs: int
    correct: int
    top1: float
    golden_top1: float
    labels: list[str]
    confusion: list[list[int]]


class Wire(TypedDict):
    """The serial port, and lines that belonged to no answer."""

    port: str
    baud: int
    stray_lines: int
    first_stray: str


class TinyResult(TypedDict):
    """Content of `tiny.json`, schema 1. `device` and `host` are of two clocks, never mixed."""

    kind: str
    schema: int
    mode: str
    verdict: str
    reasons: list[ReasonItem]
    name: str
    overlay: str
    target: str
    rules: Rules | None
    device: Device
    host: Clocked
    runs: list[RunItem]
    outputs: Outputs
    accuracy: Accuracy | None
    wire: Wire
    seeds: dict[str, int]
    facts: dict[str, Any]


def check(content: object, where: str) -> TinyResult:
    """Return parsed JSON as a result, if it is one.

    Raises:
        StorageError: It is something else, or of a newer schema.
    """
    kind = content.get("kind") if isinstance(content, dict) else None
    schema = content.get("schema") if isinstance(content, dict) else None
    if kind == KIND and isinstance(schema, int) and schema > SCHEMA:
        raise StorageError(
            f"was written by a newer harness, in schema {schema}",
            where=where,
            why=f"this one reads up to {SCHEMA}",
            hint="update the harness",
        )
    wrong = mistake(content, TinyResult)
    if wrong or kind != KIND or schema != SCHEMA:
        raise StorageError(
            "is not an MLPerf Tiny result", where=where, why=wrong or f"kind {kind!r}"
        )
    return cast("TinyResult", content)
