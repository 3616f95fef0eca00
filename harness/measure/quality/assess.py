"""From golden outputs and truth to what the network is worth; see `spec` for what is asked.

Everything here follows from the events in the fabric's memory and the outputs that they must
cause, so it is known before anything is played. It becomes the quality of a run only if the run's
own outputs turn out to be those, beat for beat: see `held_to`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.accelerators.golden import decode_rows
from harness.benchmark import QUALITY_BOUNDS
from harness.errors import BenchmarkError, OverlayError
from harness.measure.evidence import Reason
from harness.measure.quality import decoder
from harness.measure.quality.classification import classified, triggered
from harness.measure.quality.metric import CannotTellError, Decided, Metric
from harness.measure.quality.regression import estimated, remade
from harness.measure.quality.spec import (
    FILE,
    Classification,
    Reconstruction,
    Regression,
    Trigger,
    figures,
    find,
    number_at,
    training_of,
)
from harness.overlay_files import inside, sha256_of
from harness.tomlfile import near

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from decimal import Decimal
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.accelerators import Model
    from harness.measure.evidence import Evidence
    from harness.measure.quality.spec import Spec, Task
    from harness.overlay import Overlay
    from harness.traffic import Events
    from harness.traffic.events import Source

_SAME_RATE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Quality:
    """What the network is worth, or why nobody can tell.

    Args:
        kind: What was asked, such as `classification`; None if nothing was.
        distinct: Different events that it rests on.
        independent: As many of them count as independent; fewer where images come again.
        metrics: The numbers; none where `reason` says why.
        reason: Empty otherwise.
    """

    kind: str | None
    distinct: int
    independent: int
    metrics: tuple[Metric, ...] = ()
    reason: str = ""

    def withheld(self, reason: str) -> Quality:
        """Return the same without its numbers; an earlier reason stays."""
        return replace(self, metrics=(), reason=self.reason or reason)


def assess(
    overlay: Overlay,
    model: Model | None,
    source: Source,
    events: Events,
    golden: NDArray[np.uint8],
    event_rate_hz: float,
) -> Quality:
    """Return what a network is worth on the events of a run.

    Args:
        overlay: Whose folder says what to ask.
        model: The network with the weights that are played; None for none.
        source: Of the events.
        events: The different ones that are played.
        golden: Bytes of the outputs that they cause, [events, bytes].
        event_rate_hz: Mean rate of the arrival process.

    Raises:
        OverlayError: What the folder says is wrong.
    """
    spec, count = find(overlay), len(events.raw)
    if spec is None or model is None:
        why = f"overlay {overlay.name} has no {FILE}" if model else "the overlay has no network"
        return Quality(None, count, count, reason=why)
    independent = min(count, spec.independent.get(source.name, count))
    quality = Quality(spec.kind, count, independent)
    if not (source.labels or source.truth_names):
        return quality.withheld(f"the events of source {source.name} have no truth")
    training = training_of(overlay)
    trained = model is overlay.model and _is_of(training, overlay)
    if not trained and isinstance(spec.task, Trigger | Reconstruction):
        return quality.withheld("threshold and decoder are of other weights than those played")
    values, derived = decode_rows(model, golden)
    decided = Decided(
        truth=events.truth,
        values=model.output_format.to_float(values),
        derived=derived,
        labels=source.labels,
        truth_names=source.truth_names,
        share=independent / count,
    )
    try:
        metrics = tuple(
            _metrics(overlay, model, spec.task, events, decided, training, event_rate_hz)
        )
    except CannotTellError as error:
        return quality.withheld(str(error))
    if trained:
        beside = _figures(spec, training, overlay.folder / FILE, event_rate_hz)
        metrics = tuple(_beside(metrics, beside))
    return replace(quality, metrics=metrics)


def held_to(quality: Quality, evidence: Evidence, broken_off: str | None = None) -> Quality:
    """Return the quality of a run: without numbers unless its outputs were the golden ones.

    Args:
        quality: What the golden outputs are worth.
        evidence: What the fabric counted.
        broken_off: What ended the run early; None if nothing did.
    """
    if broken_off is not None:
        return quality.withheld(f"the run did not finish: {broken_off}")
    if evidence.bit_exact is None:
        return quality.withheld("outputs were not compared with the reference")
    if not evidence.bit_exact:
        return quality.withheld("outputs are not those of the reference")
    completed = 0 if evidence.samples is None else evidence.samples.counters.completed
    if completed < quality.distinct:
        return quality.withheld(
            f"{completed:,} events came out, fewer than the {quality.distinct:,} different ones"
        )
    return quality


def check_required(required: Mapping[str, Decimal], quality: Quality) -> None:
    """Refuse requirements on numbers that there will not be.

    Raises:
        BenchmarkError: One names no metric of this overlay and source, or there are none.
    """
    known = {item.name: item for item in quality.metrics}
    for key in required:
        where, name = f"require.quality.{key}", key[: -len(QUALITY_BOUNDS[0])]
        if name not in known:
            raise BenchmarkError(
                f"there is no metric {name!r}",
                where=where,
                why=quality.reason,
                hint=near(name, list(known)) if known else "remove it",
            )
        if known[name].value is None:
            raise BenchmarkError(
                f"{name} cannot be stated",
                where=where,
                why=known[name].reason,
                hint="more distinct events, or another source",
            )


def unmet(required: Mapping[str, Decimal], quality: Quality | None) -> Iterator[Reason]:
    """Yield what is required of the decisions and does not hold, or is not sure to."""
    found = {} if quality is None else {item.name: item for item in quality.metrics}
    for key, limit in required.items():
        name, bound = key[: -len(QUALITY_BOUNDS[0])], float(limit)
        most = key.endswith(QUALITY_BOUNDS[1])
        metric = found.get(name)
        if metric is None or metric.value is None:
            why = "nobody asked" if quality is None else quality.reason
            advice = "see why outputs are not those of the reference"
            yield Reason("fail", f"{name} cannot be stated, but is required", why, advice)
            continue
        side, word = ("above", "at most") if most else ("below", "at least")
        told = f"{metric.value:.6g} {metric.unit}".rstrip()
        asked = f"{word} {bound:g} {metric.unit}".rstrip()
        if metric.value > bound if most else metric.value < bound:
            advice = "see the report's table of what the network decided"
            yield Reason("fail", f"{name} is {side} its limit", f"{told}; {asked} required", advice)
            continue
        end = metric.high if most else metric.low
        if end is None or (end > bound if most else end < bound):
            reach = "no interval" if end is None else f"95 % interval to {end:.6g}"
            yield Reason(
                "note",
                f"{name} holds, but these events do not prove it",
                f"{told}, {reach}; {asked} required",
                "more distinct events tell more",
            )


def _is_of(training: Mapping[str, Any], overlay: Overlay) -> bool:
    """Return whether figures, threshold and decoder are of the overlay's own weights."""
    path = overlay.model_path
    return path is not None and training.get("model_sha256") == sha256_of(path, OverlayError)


def _metrics(
    overlay: Overlay,
    model: Model,
    task: Task,
    events: Events,
    decided: Decided,
    training: Mapping[str, Any],
    event_rate_hz: float,
) -> Iterable[Metric]:
    if isinstance(task, Classification):
        return classified(task, decided)
    if isinstance(task, Regression):
        return estimated(task, decided)
    if isinstance(task, Trigger):
        threshold = number_at(training, task.threshold, overlay.folder / FILE)
        return triggered(task.background, threshold, event_rate_hz, decided)
    path = inside(overlay.folder, task.decoder, overlay.root)
    decode = decoder.load(path, shares=task.end == "shares")
    if (decode.inputs, decode.outputs) != (model.outputs, model.inputs):
        raise OverlayError(
            f"decodes {decode.inputs} values to {decode.outputs}",
            where=str(path),
            why=f"the network makes {model.outputs} of {model.inputs}",
        )
    return remade(
        decode(decided.values),
        model.input_format.to_float(events.raw),
        model.outputs * model.output_format.width,
        model.inputs * model.input_format.width,
    )


def _figures(
    spec: Spec, training: Mapping[str, Any], where: Path, event_rate_hz: float
) -> dict[str, tuple[float, float]]:
    found = figures(spec, training, where)
    if isinstance(spec.task, Trigger):
        rate_hz = number_at(training, spec.task.event_rate, where)
        if abs(event_rate_hz / rate_hz - 1) > _SAME_RATE:  # its trigger rates are of other beams
            found.pop("trigger_rate_hz", None)
    return found


def _beside(
    metrics: Iterable[Metric], found: Mapping[str, tuple[float, float]]
) -> Iterator[Metric]:
    for metric in metrics:
        floating, quantised = found.get(metric.name, (None, None))
        yield replace(metric, floating=floating, quantised=quantised)
