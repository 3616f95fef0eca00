"""Workloads and systems that others published, from two tables, each entry with its source."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from harness import tomlfile
from harness.architecture.network import Layer, Network, Workload
from harness.errors import InputError
from harness.quantity import Span

SCHEMA: Final = 1
_HERE: Final = Path(__file__).parent
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LayerShape:
    """A layer as `workloads.toml` writes it: one of `dense` and `conv`.

    Args:
        dense: Values in, values out.
        conv: Values under the kernel (channels included), channels out, positions.
        bias: Whether there is one a channel.
        weight_bits: Where it differs from the network's.
        input_bits: Where it differs from the network's.
    """

    dense: tuple[int, ...] = ()
    conv: tuple[int, ...] = ()
    bias: bool = True
    weight_bits: int | None = None
    input_bits: int | None = None

    def __post_init__(self) -> None:
        if (len(self.dense), len(self.conv)) not in {(2, 0), (0, 3)}:
            raise InputError("needs dense = [in, out] or conv = [kernel, channels, positions]")


@dataclass(frozen=True, slots=True)
class PublishedWorkload:
    """A workload of the field; what its source leaves out is None.

    Args:
        name: Of network or experiment.
        interval: From one event to the next.
        process: How events arrive.
        source: Where it is published.
        budget: Latency that is allowed.
        budget_note: How far the budget is to be trusted.
        layers: Shape of the network.
        parameters: Their number, where only that is published.
        weight_bits: Of a weight, and of a bias.
        input_bits: Of what a layer multiplies with.
        nonzero: Parameters that are not zero.
        note: How the entry is to be read.
    """

    name: str
    interval: Span
    process: Literal["lhc", "periodic", "poisson"]
    source: str
    budget: Span | None = None
    budget_note: str = ""
    layers: tuple[LayerShape, ...] = ()
    parameters: int | None = None
    weight_bits: int | None = None
    input_bits: int | None = None
    nonzero: int | None = None
    note: str = ""

    @property
    def network(self) -> Network:
        """The network, as far as it is published."""
        return Network(
            name=self.name,
            source=self.source,
            layers=tuple(self._layer(index, item) for index, item in enumerate(self.layers)),
            published_parameters=self.parameters,
            published_bits=self.weight_bits,
            published_nonzero=self.nonzero,
        )

    @property
    def workload(self) -> Workload:
        """The workload."""
        return Workload(
            name=self.name,
            interval_s=self.interval.amount,
            budget_s=None if self.budget is None else self.budget.amount,
            process=self.process,
            note="; ".join(filter(None, (self.budget_note, self.note))),
        )

    def _layer(self, index: int, shape: LayerShape) -> Layer:
        inner, outer, positions = shape.conv if shape.conv else (*shape.dense, 1)
        bits = self.weight_bits if shape.weight_bits is None else shape.weight_bits
        return Layer(
            name=f"layer {index + 1}",
            kind="conv" if shape.conv else "dense",
            fan_in=inner,
            weights=inner * outer,
            biases=outer if shape.bias else 0,
            multiplications=inner * outer * positions,
            weight_bits=bits,
            bias_bits=bits,
            input_bits=self.input_bits if shape.input_bits is None else shape.input_bits,
        )


@dataclass(frozen=True, slots=True)
class PublishedSystem:
    """A system that somebody built; what its source leaves out is None.

    Args:
        name: Of the system.
        platform: Board or device, clock.
        basis: `board` if it was timed there, `implementation` if synthesised only.
        source: Where it is published.
        interval: From one inference to the next.
        latency: Of one inference.
        parameters: Of its network.
        weight_bits: Of a parameter.
        weights: Where they live.
        note: How the entry is to be read.
    """

    name: str
    platform: str
    basis: Literal["board", "implementation"]
    source: str
    interval: Span | None = None
    latency: Span | None = None
    parameters: int | None = None
    weight_bits: int | None = None
    weights: Literal["on-chip", "DRAM"] | None = None
    note: str = ""

    @property
    def bandwidth(self) -> Fraction | None:
        """Bytes a second if every weight were fetched for every inference; None if not known."""
        if self.interval is None or self.parameters is None or self.weight_bits is None:
            return None
        return Fraction(self.parameters * self.weight_bits, 8) / self.interval.amount


@dataclass(frozen=True, slots=True)
class _Workloads:
    schema: int
    entries: tuple[PublishedWorkload, ...] = field(metadata={tomlfile.KEY: "workload"})


@dataclass(frozen=True, slots=True)
class _Systems:
    schema: int
    entries: tuple[PublishedSystem, ...] = field(metadata={tomlfile.KEY: "system"})


@cache
def workloads() -> tuple[PublishedWorkload, ...]:
    """Return the workloads of the field.

    Raises:
        InputError: The table has been damaged.
    """
    return _read("workloads.toml", _Workloads).entries


@cache
def systems() -> tuple[PublishedSystem, ...]:
    """Return the published systems.

    Raises:
        InputError: The table has been damaged.
    """
    return _read("systems.toml", _Systems).entries


def _read(name: str, kind: type[_T]) -> _T:
    path = _HERE / name
    table: Any = tomlfile.structure(tomlfile.read(path, InputError), kind, str(path), InputError)
    if table.schema != SCHEMA:
        raise InputError(f"schema {table.schema} is not {SCHEMA}", where=str(path))
    return table  # type: ignore[no-any-return]
