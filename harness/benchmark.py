"""Benchmark files: what to play, how fast, on which overlay, and what must hold.

A file is parsed once into frozen values; everything behind this module trusts them. What depends on
the overlay (register names, memory sizes) is checked where the overlay is known.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

from harness.errors import BenchmarkError, InputError
from harness.overlay_files import project_root
from harness.quantity import LONGEST_S, Span, shorten
from harness.tomlfile import KEY, assign, near, read, structure
from harness.traffic.arrival import MOST_SEED, Arrival
from harness.traffic.trace import sha256_of

SCHEMA: Final = 1
MOST_EVENTS: Final = 2**32 - 1
MOST_WAITING: Final = 2**16 - 1
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")

QUALITY_BOUNDS: Final = ("_min", "_max")
"""How the keys of `require.quality` end, the name of a metric before them."""

Statistic = Literal["p50", "p99", "p999", "max"]
# Keys of arrival that came after the first digests, which stay what they were without them.
_LATER_KEYS: Final = (
    *("jitter", "mean", "window", "on", "off", "shots", "idle"),
    *("file", "column", "unit", "sha256"),
)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the events contain.

    Args:
        source: Name of a generator of events.
        distinct: Different events; a longer run plays them in a loop.
        seed: Seed of their content.
    """

    source: str
    distinct: int = 4096
    seed: int = 1

    def __post_init__(self) -> None:
        _check_name("source", self.source)
        _check_range("distinct", self.distinct, 1, MOST_EVENTS)
        _check_range("seed", self.seed, 0, MOST_SEED)


@dataclass(frozen=True, slots=True)
class Run:
    """How long and under which conditions.

    Args:
        events: Events to schedule.
        clock_hz: Fabric clock; None for the overlay's own.
        derandomiser: Events that may wait; one more is dropped.
        deadline: A larger total is a miss; None for no deadline.
        trace: Events whose stamps are kept one by one.
        trace_start: Number of the first of them.
    """

    events: int
    clock_hz: Fraction | None = field(default=None, metadata={KEY: "clock"})
    derandomiser: int = 64
    deadline: Span | None = None
    trace: int = 4096
    trace_start: int = 0

    def __post_init__(self) -> None:
        _check_range("events", self.events, 1, MOST_EVENTS)
        _check_range("derandomiser", self.derandomiser, 1, MOST_WAITING)
        _check_range("trace", self.trace, 0, MOST_EVENTS)
        _check_range("trace_start", self.trace_start, 0, MOST_EVENTS)


@dataclass(frozen=True, slots=True)
class Require:
    """What must hold for a run to pass; None requires nothing.

    Args:
        drops: Most dropped events.
        deadline_misses: Most events later than the deadline.
        bit_exact: Whether outputs must equal the golden model's.
        max_depth: Most events that may ever wait.
        min_rate_ratio: Least completed share of the asked rate, above 0 and up to 1.
        wait_p50: Largest median wait; likewise the other latencies and statistics.
        quality: Limits of what the network decides, such as `accuracy_min`; see `QUALITY_BOUNDS`.
    """

    drops: int | None = None
    deadline_misses: int | None = None
    bit_exact: bool | None = None
    max_depth: int | None = None
    min_rate_ratio: Decimal | None = None
    wait_p50: Span | None = None
    wait_p99: Span | None = None
    wait_p999: Span | None = None
    wait_max: Span | None = None
    service_p50: Span | None = None
    service_p99: Span | None = None
    service_p999: Span | None = None
    service_max: Span | None = None
    total_p50: Span | None = None
    total_p99: Span | None = None
    total_p999: Span | None = None
    total_max: Span | None = None
    quality: Mapping[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("drops", "deadline_misses", "max_depth"):
            value = getattr(self, name)
            if value is not None:
                _check_range(name, value, 0, MOST_EVENTS)
        ratio = self.min_rate_ratio
        # A signalling or quiet NaN fails is_finite; comparing it would raise.
        if ratio is not None and not (ratio.is_finite() and 0 < ratio <= 1):
            raise InputError(
                "must be above 0 and at most 1", where="min_rate_ratio", why=f"got {shorten(ratio)}"
            )
        for name, limit in self.quality.items():
            if not name.endswith(QUALITY_BOUNDS):
                hint = "a metric and _min or _max, as in accuracy_min"
                raise InputError("is no limit", where=f"quality.{name}", hint=hint)
            if not limit.is_finite():
                raise InputError("must be a finite number", where=f"quality.{name}")

    def latencies(self) -> Iterator[tuple[str, Span]]:
        """Yield the required latencies as name, such as `total_p99`, and limit."""
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Span):
                yield item.name, value


@dataclass(frozen=True, slots=True)
class ExternalMemory:
    """What the memory port of the overlay meets, on the virtual board.

    Args:
        model: Name of a memory of `harness.memories`, instead of the board's own.
    """

    model: str

    def __post_init__(self) -> None:
        _check_name("model", self.model)


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights that are written before the run, instead of those that the image was built with.

    Args:
        file: A model file of the overlay's network; relative to the benchmark file.
        sha256: Of the file, in hex; what is given must be true.
    """

    file: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark; see the README for the file format.

    Args:
        schema: Version of the file format.
        name: Short name, lower case.
        summary: One line for people; the only field that the digest leaves out.
        overlay: Name of the overlay.
        traffic: What the events contain.
        arrival: When they fall due.
        run: How long and under which conditions.
        board: Board to run on unless told otherwise.
        accelerator: Register name to value, written before the run.
        require: What must hold for a run to pass.
        memory: External memory, for an overlay with a port to it; None for the board's own.
        weights: For an overlay whose layers can be loaded; None for those it was built with.
    """

    schema: int
    name: str
    summary: str
    overlay: str
    traffic: Traffic
    arrival: Arrival
    run: Run
    board: str = "zcu104"
    accelerator: Mapping[str, int] = field(default_factory=dict)
    require: Require = field(default_factory=Require)
    memory: ExternalMemory | None = None
    weights: Weights | None = None

    def __post_init__(self) -> None:
        for name in ("name", "overlay", "board"):
            _check_name(name, getattr(self, name))
        for register, value in self.accelerator.items():
            _check_range(f"accelerator.{register}", value, 0, 2**32 - 1)
        if self.require.deadline_misses is not None and self.run.deadline is None:
            raise InputError(
                "there is no deadline to miss",
                where="require.deadline_misses",
                hint='add run.deadline, such as "1 us"',
            )
        self._check_rate()

    def _check_rate(self) -> None:
        rate, clock = self.arrival.rate_hz, self.run.clock_hz
        if rate is not None and clock is not None and rate > clock:
            raise InputError(
                "more than one event a clock cycle",
                where="arrival.rate",
                why=f"{float(rate):g} Hz at a clock of {float(clock):g} Hz",
                hint="lower the rate or raise run.clock",
            )
        least = self.arrival.least_hz
        if least is not None and self.run.events / least > LONGEST_S:
            raise InputError(
                "the run would take longer than a week",
                where="run.events",
                why=f"{self.run.events} events at {float(least):g} Hz",
                hint="fewer events or a higher rate",
            )

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of everything that the run depends on, overrides and defaults included.

        How a number was written makes no difference: 40 MHz and 40000 kHz are the same benchmark.
        """
        content = dataclasses.asdict(self)
        del content["summary"]
        if self.memory is None:  # as it was before memories could be named
            del content["memory"]
        if self.weights is None:  # likewise
            del content["weights"]
        else:
            del content["weights"]["file"]
        if not self.require.quality:  # likewise
            del content["require"]["quality"]
        arrival = content["arrival"]
        for key in _LATER_KEYS:
            # Where a file lies is no part of it; what it holds is.
            if arrival[key] is None or key == "file":
                del arrival[key]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_canonical)
        return hashlib.sha256(text.encode()).hexdigest()


def load(path: Path, overrides: Iterable[str] = ()) -> Benchmark:
    """Return the benchmark in a file.

    Args:
        path: The TOML file.
        overrides: Assignments as in `override`, applied in order.

    Raises:
        BenchmarkError: The file or an override is wrong.
    """
    content = read(path, BenchmarkError)
    for assignment in overrides:
        content = override(content, assignment)
    return build(content, str(path))


def build(content: Mapping[str, Any], where: str) -> Benchmark:
    """Return the benchmark that the content of a file describes.

    Args:
        content: Tables as `harness.tomlfile.read` returns them.
        where: Name of the file, for errors.

    Raises:
        BenchmarkError: A key is unknown, missing, of the wrong type or out of range.
    """
    schema = content.get("schema")
    if type(schema) is int and schema != SCHEMA:
        raise BenchmarkError(
            f"schema {shorten(schema)} is not known to this harness",
            where=f"{where}: schema",
            why=f"it reads schema {SCHEMA}",
            hint="update the harness" if schema > SCHEMA else f"write schema = {SCHEMA}",
        )
    benchmark = structure(content, Benchmark, where, BenchmarkError)
    return _with_weights(_with_trace(benchmark, Path(where).parent), Path(where).parent)


def override(content: Mapping[str, Any], assignment: str) -> dict[str, Any]:
    """Return the content of a benchmark file with one key set; the given content stays as it is.

    Args:
        content: Tables as `harness.tomlfile.read` returns them.
        assignment: Such as `run.events=1000`. The value is TOML, or a bare string if it is not:
            `run.clock=250 MHz`.

    Raises:
        BenchmarkError: It is no assignment, or goes through a key that is not a table.
    """
    return assign(content, assignment, BenchmarkError)


def list_benchmarks() -> dict[str, Path]:
    """Return the files of all benchmarks that come with the project, by `suite/name`, sorted."""
    root = project_root() / "benchmarks"
    return {f"{path.parent.name}/{path.stem}": path for path in sorted(root.glob("*/*.toml"))}


def find(name: str) -> Path:
    """Return the file of a benchmark.

    Args:
        name: `suite/name` of one that comes with the project, or the path of a `.toml` file.

    Raises:
        BenchmarkError: There is none of that name.
    """
    if name.endswith(".toml"):
        return Path(name)
    known = list_benchmarks()
    if name not in known:
        hint = near(name, list(known)) if known else "none came with this installation"
        raise BenchmarkError("no such benchmark", where=shorten(name), hint=hint)
    return known[name]


def _with_trace(benchmark: Benchmark, folder: Path) -> Benchmark:
    """Return the benchmark with its file of times found and identified, if it has one."""
    arrival = benchmark.arrival
    if arrival.file is None:
        return benchmark
    path = folder / arrival.file
    found = _identified(path, arrival.sha256, "arrival")
    return replace(benchmark, arrival=replace(arrival, file=str(path), sha256=found))


def _with_weights(benchmark: Benchmark, folder: Path) -> Benchmark:
    """Return the benchmark with its file of weights found and identified, if it has one."""
    weights = benchmark.weights
    if weights is None:
        return benchmark
    path = folder / weights.file
    found = _identified(path, weights.sha256, "weights")
    return replace(benchmark, weights=Weights(str(path), found))


def _identified(path: Path, sha256: str | None, table: str) -> str:
    """Return the SHA-256 of a file, which must be the one given, if any is.

    Raises:
        BenchmarkError: It is another.
    """
    found = sha256_of(path)
    if sha256 not in {None, found}:
        raise BenchmarkError(
            "the file is not the one that the benchmark means",
            where=str(path),
            why=f"its SHA-256 is {found}, not {shorten(sha256)}",
            hint=f"get the right one, or change {table}.sha256",
        )
    return found


def _canonical(value: object) -> str:
    """Return a Fraction or Decimal as an exact ratio of integers."""
    if isinstance(value, Decimal | Fraction):
        return str(Fraction(value))
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _check_name(key: str, value: str) -> None:
    if _NAME.fullmatch(value) is None:
        raise InputError(
            "is not a name",
            where=key,
            why=f"got {shorten(value)}",
            hint="lower-case letters, digits, '_', '-' and '.', at most 64",
        )


def _check_range(key: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise InputError(
            "is out of range", where=key, why=f"got {shorten(value)}", hint=f"{lowest} to {highest}"
        )
