"""Which points a sweep has: the product of its axes, each a key of the benchmark and its values.

Everything a user can get wrong in a sweep is found here, before anything runs.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from harness import benchmark as benchmarks
from harness.errors import BenchmarkError, InputError
from harness.quantity import LOWEST_HZ, parse_frequency, shorten
from harness.traffic import SOURCE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MOST_POINTS: Final = 10_000
FINDS: Final[Mapping[str, str]] = {
    "knee": "highest rate at which at most 1 % of the events pile up or are dropped",
    "zero-loss": "highest rate at which no event is dropped",
    "deadline": "highest rate at which few enough events are late or dropped",
    "depth": "smallest derandomiser that drops no event",
}
RATE: Final = "arrival.rate"
DEPTH: Final = "run.derandomiser"
_KEY: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_COUNT: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Axis:
    """A key and the values it takes, as they are written in an assignment."""

    key: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.values or "" in self.values:
            raise InputError("has an empty value", where=self.key, hint="such as 1,2,3")
        if len(set(self.values)) != len(self.values):
            twice = next(item for item in self.values if self.values.count(item) > 1)
            raise InputError("has a value twice", where=self.key, why=shorten(twice))


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for between the points.

    Args:
        find: One of `FINDS`.
        low: Lower end of the bracket, Hz or events.
        high: Upper end.
        steps: Points of the grid that is measured first, both ends included.
        resolution: Where to stop, in the same unit.
        late: Events that may be late or dropped, `deadline` only.
    """

    find: str
    low: Fraction
    high: Fraction
    steps: int
    resolution: Fraction
    late: int = 0

    def __post_init__(self) -> None:
        if self.find not in FINDS:
            known = ", ".join(FINDS)
            raise InputError("cannot be found", where=shorten(self.find), hint=f"known: {known}")
        if not self.low < self.high:
            ends = f"{float(self.low):g} to {float(self.high):g}"
            raise InputError("a bracket needs two ends, the lower one first", why=ends)
        if not 2 <= self.steps <= MOST_POINTS:
            raise InputError("a search needs 2 points or more", why=f"got {self.steps}")
        if not 0 < self.resolution:
            raise InputError("a resolution is positive", why=f"got {float(self.resolution):g}")
        if self.late < 0:
            raise InputError("a number of late events is not negative", why=f"got {self.late}")

    @property
    def key(self) -> str:
        """The key that is searched."""
        return DEPTH if self.find == "depth" else RATE

    def value(self, where: Fraction) -> str:
        """Return a place of the bracket as it is written in an assignment."""
        return str(int(where)) if self.find == "depth" else hertz(where)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a sweep was asked for; what `--resume` needs to know.

    Args:
        benchmarks: Names or files.
        target: How to reach a board.
        overrides: Assignments of every point.
        axes: What differs.
        search: What to look for at each of their points; None to measure the points themselves.
    """

    benchmarks: tuple[str, ...]
    target: str
    overrides: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = ()
    search: Search | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        content = dataclasses.asdict(self)
        if self.search is not None:
            for name in ("low", "high", "resolution"):
                content["search"][name] = str(getattr(self.search, name))
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Plan:
        """Return what `to_json` gave.

        Raises:
            InputError: It is something else.
        """
        try:
            search = content["search"]
            if search is not None:
                numbers = {name: Fraction(search[name]) for name in ("low", "high", "resolution")}
                search = Search(**{**search, **numbers})
            return cls(
                benchmarks=tuple(content["benchmarks"]),
                target=content["target"],
                overrides=tuple(content["overrides"]),
                axes=tuple(Axis(axis["key"], tuple(axis["values"])) for axis in content["axes"]),
                search=search,
            )
        except (KeyError, TypeError, ValueError) as cause:
            raise InputError("is not the plan of a sweep", why=str(cause)) from cause


@dataclass(frozen=True, slots=True)
class Point:
    """One run of a sweep.

    Args:
        benchmark: Name or file.
        overrides: All assignments.
        values: The swept keys and their values.
        overlay: Name of the overlay that it runs.
        digest: Of the benchmark with all assignments: who it is.
    """

    benchmark: str
    overrides: tuple[str, ...]
    values: tuple[tuple[str, str], ...]
    overlay: str
    digest: str


def points(plan: Plan) -> tuple[Point, ...]:
    """Return the points of a matrix, or the places where a search has to be made.

    Raises:
        InputError: There are none, too many, or two that are the same.
        BenchmarkError: A benchmark or an assignment is wrong.
    """
    count = len(plan.benchmarks)
    for axis in plan.axes:
        count *= len(axis.values)
    if not count:
        raise InputError("a sweep needs a benchmark", hint="such as smoke/dial")
    if count > MOST_POINTS:
        raise InputError("too many points", why=f"{count}, at most {MOST_POINTS}")
    keys = [axis.key for axis in plan.axes]
    if plan.search is not None:
        keys.append(plan.search.key)
    for key in keys:
        if keys.count(key) > 1:
            raise InputError("is swept twice", where=key, hint="give all its values at once")
    found = tuple(
        point(plan, benchmark, values)
        for benchmark in plan.benchmarks
        for values in itertools.product(*(axis.values for axis in plan.axes))
    )
    _check_distinct(found)
    return found


def point(plan: Plan, benchmark: str, values: Sequence[str], *more: tuple[str, str]) -> Point:
    """Return one point.

    Args:
        plan: Of the sweep.
        benchmark: Name or file.
        values: One value of each axis.
        more: Keys and values besides.

    Raises:
        BenchmarkError: The benchmark or an assignment is wrong.
    """
    pairs = (*zip((axis.key for axis in plan.axes), values, strict=True), *more)
    overrides = (*plan.overrides, *(f"{key}={value}" for key, value in pairs))
    loaded = benchmarks.load(benchmarks.find(benchmark), overrides)
    if loaded.traffic.source not in SOURCE_NAMES:
        raise BenchmarkError(
            f"unknown event source {loaded.traffic.source!r}",
            where="traffic.source",
            hint=f"known: {', '.join(SOURCE_NAMES)}",
        )
    return Point(benchmark, overrides, pairs, loaded.overlay, loaded.digest)


def parse_assignment(text: str) -> Axis:
    """Return the axis of `key=v1,v2`.

    Raises:
        InputError: It is not of that form.
    """
    key, equals, values = text.partition("=")
    if not equals or _KEY.fullmatch(key.strip()) is None:
        raise InputError("not a key and its values", where=shorten(text), hint="such as key=1,2,3")
    return Axis(key.strip(), split(values))


def split(text: str) -> tuple[str, ...]:
    """Return the values of a list with commas."""
    return tuple(item.strip() for item in text.split(","))


def parse_depths(text: str) -> Axis:
    """Return the axis of `a,b,c`, depths of the derandomiser.

    Raises:
        InputError: One is no whole number.
    """
    for item in split(text):
        if _COUNT.fullmatch(item) is None:
            raise InputError(
                "not a number of events", where="--depths", why=shorten(item), hint="such as 1,2,4"
            )
    return Axis(DEPTH, split(text))


def parse_rates(text: str, steps: int | None = None) -> tuple[Fraction, Fraction, int]:
    """Return the ends and the number of points of `lo:hi:n`.

    Args:
        text: Such as `10 MHz:40 MHz:7`.
        steps: What n is if it is left out; None if it must be there.

    Raises:
        InputError: It is not of that form, or the ends are the wrong way round.
    """
    parts = text.split(":")
    hint = "such as '10 MHz:40 MHz:7'"
    if len(parts) == 2 and steps is not None:
        parts.append(str(steps))
    if len(parts) != 3 or _COUNT.fullmatch(parts[2].strip()) is None:
        raise InputError("not a range of rates", where="--rates", why=shorten(text), hint=hint)
    try:
        low, high = (parse_frequency(part.strip()) for part in parts[:2])
    except InputError as error:
        raise InputError(error.what, where="--rates", why=error.why, hint=hint) from error
    count = int(parts[2])
    if low > high or count < 1 or (low == high) != (count == 1):
        raise InputError(
            "not a range of rates",
            where="--rates",
            why=f"{count} points from {float(low):g} to {float(high):g} Hz",
            hint="the lower rate first, and 2 points or more",
        )
    if count > MOST_POINTS:
        raise InputError("too many points", where="--rates", why=f"{count}, at most {MOST_POINTS}")
    return low, high, count


def grid(low: Fraction, high: Fraction, count: int, unit: Fraction) -> tuple[Fraction, ...]:
    """Return `count` places from `low` to `high`, evenly spaced and rounded to `unit`."""
    steps = max(count - 1, 1)
    places = (low + (high - low) * index / steps for index in range(count))
    return tuple(dict.fromkeys(snap(place, unit) for place in places))


def snap(place: Fraction, unit: Fraction) -> Fraction:
    """Return the nearest multiple of a unit."""
    return round(place / unit) * unit


def rate_axis(low: Fraction, high: Fraction, count: int) -> Axis:
    """Return the axis of evenly spaced rates."""
    return Axis(RATE, tuple(hertz(rate) for rate in grid(low, high, count, LOWEST_HZ)))


def hertz(rate: Fraction) -> str:
    """Return a rate to the mHz, as it is written in a benchmark."""
    whole, rest = divmod(round(rate * 1000), 1000)
    return f"{whole}.{rest:03d} Hz" if rest else f"{whole} Hz"


def _check_distinct(found: Iterable[Point]) -> None:
    seen: dict[str, Point] = {}
    for item in found:
        if item.digest in seen:
            names = [
                " ".join(f"{key}={value}" for key, value in each.values) or each.benchmark
                for each in (seen[item.digest], item)
            ]
            raise InputError("two points are the same", why=f"{names[0]} and {names[1]}")
        seen[item.digest] = item
