"""What is asked of a network's outputs: `overlays/<name>/quality.toml`.

One table names the kind of task; `[figures]` says where `training.toml` has the same figures:

    schema = 1
    [classification]                # or [trigger], [regression], [reconstruction]
    threshold = 0
    mean = "assignment_fidelity"
    [figures]
    accuracy = "held_out.{}_accuracy"

A figure's place is a path of keys, `{}` standing for `float` and for `quantised`. The file is not
part of the design: editing it leaves the overlay's digest alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from harness import tomlfile
from harness.errors import InputError, OverlayError

if TYPE_CHECKING:
    from pathlib import Path

    from harness.overlay import Overlay

FILE: Final = "quality.toml"
TRAINING: Final = "training.toml"
SCHEMA: Final = 1
ARITHMETICS: Final = ("float", "quantised")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")


@dataclass(frozen=True, slots=True)
class Classification:
    """The outputs name one of the source's labels.

    Args:
        threshold: Of a single output, as a real value: class 1 above it, else class 0; None for
            the place of the largest output.
        mean: Name of the mean of the classes' efficiencies; empty to leave it out.
    """

    threshold: Decimal | None = None
    mean: str = ""

    def __post_init__(self) -> None:
        if self.mean:
            _check_name("mean", self.mean)


@dataclass(frozen=True, slots=True)
class Trigger:
    """The derived score keeps an event if it is above a threshold.

    Args:
        background: Label of what should not be kept; all others are signals.
        threshold: Raw score, or its place in `training.toml`.
        event_rate: Place in `training.toml` of the rate that its trigger rates are of, in Hz.
    """

    background: str
    threshold: str
    event_rate: str


@dataclass(frozen=True, slots=True)
class Regression:
    """Output j estimates the source's true quantity j.

    Args:
        scale: Real output values to the unit of the truth.
        delay: Events by which an output comes after the one that it is about.
        turn: Events after which a network with a state begins anew; 0 if never. An output is not
            about an event of the turn before.
        pooled: Whether all quantities are of one kind, as channels are; else each has its bias.
        large: True values above it have errors of their own.
        distance: Whether the quantities are the coordinates of a point.
        phase_above: The quantities are (sin, cos) of a phase times an amplitude: least amplitude
            at which there is a phase to speak of.
    """

    scale: Decimal = Decimal(1)
    delay: int = 0
    turn: int = 0
    pooled: bool = False
    large: Decimal | None = None
    distance: bool = False
    phase_above: Decimal | None = None

    def __post_init__(self) -> None:
        if not (self.scale.is_finite() and self.scale > 0):
            raise InputError("must be above 0", where="scale", why=f"got {self.scale}")
        for key in ("delay", "turn"):
            if getattr(self, key) < 0:
                raise InputError("must not be negative", where=key)


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """A decoder off the chip makes the inputs again from the outputs.

    Args:
        decoder: `.npz` in the overlay's folder with `weights_0` [inputs, outputs], `bias_0` and so
            on: dense layers, ReLU between them.
        end: What follows the last: nothing, or `shares`, softmax over the values and a nowhere.
    """

    decoder: str
    end: Literal["values", "shares"] = "values"


Task = Classification | Trigger | Regression | Reconstruction


@dataclass(frozen=True, slots=True)
class Spec:
    """Content of a `quality.toml`; exactly one of the four tasks is there.

    Args:
        schema: Version of the file format.
        classification: See there.
        trigger: Likewise.
        regression: Likewise.
        reconstruction: Likewise.
        figures: Place in `training.toml` by the name of a metric.
        independent: Independent things behind all events of a source, such as images; by source.
    """

    schema: int
    classification: Classification | None = None
    trigger: Trigger | None = None
    regression: Regression | None = None
    reconstruction: Reconstruction | None = None
    figures: Mapping[str, str] = field(default_factory=dict)
    independent: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise InputError(
                f"this harness reads schema {SCHEMA}", where="schema", why=f"got {self.schema}"
            )
        if len(self._tasks) != 1:
            raise InputError(
                "needs one task",
                why=f"it has {', '.join(self._tasks) or 'none'}",
                hint="one of [classification], [trigger], [regression], [reconstruction]",
            )
        for name in self.figures:
            _check_name(f"figures.{name}", name)
        for name, count in self.independent.items():
            if count < 1:
                raise InputError("must be at least 1", where=f"independent.{name}")

    @property
    def _tasks(self) -> dict[str, Task]:
        names = ("classification", "trigger", "regression", "reconstruction")
        return {name: task for name in names if (task := getattr(self, name)) is not None}

    @property
    def kind(self) -> str:
        """Name of the task."""
        return next(iter(self._tasks))

    @property
    def task(self) -> Task:
        """The task."""
        return next(iter(self._tasks.values()))


def find(overlay: Overlay) -> Spec | None:
    """Return what is asked of an overlay's outputs, None if nobody has said.

    Raises:
        OverlayError: The file is wrong.
    """
    path = overlay.folder / FILE
    if not path.is_file():
        return None
    return tomlfile.structure(tomlfile.read(path, OverlayError), Spec, str(path), OverlayError)


def training_of(overlay: Overlay) -> dict[str, Any]:
    """Return the content of an overlay's `training.toml`; empty if it has none.

    Raises:
        OverlayError: The file is no TOML.
    """
    path = overlay.folder / TRAINING
    return tomlfile.read(path, OverlayError) if path.is_file() else {}


def number_at(training: Mapping[str, Any], place: str, where: Path) -> float:
    """Return a number of `training.toml` by its path of keys.

    Raises:
        OverlayError: There is no number there.
    """
    found: Any = training
    for key in place.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, int | Decimal):
        raise OverlayError(
            "names a figure that is not there",
            where=str(where),
            why=f"{TRAINING} has no number {place!r}",
            hint="train again, or correct the path of keys",
        )
    return float(found)


def figures(spec: Spec, training: Mapping[str, Any], where: Path) -> dict[str, tuple[float, float]]:
    """Return what training found on held-out events: float and quantised, by metric.

    Raises:
        OverlayError: A path names no number.
    """
    return {
        name: (
            number_at(training, place.replace("{}", ARITHMETICS[0]), where),
            number_at(training, place.replace("{}", ARITHMETICS[1]), where),
        )
        for name, place in spec.figures.items()
    }


def _check_name(key: str, name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise InputError(
            "is not the name of a metric",
            where=key,
            why=f"got {name[:60]!r}",
            hint="lower-case letters, digits and _",
        )
