"""Time to decision: from an event's last input beat to its result.

Where an event is a window of samples that takes hundreds of cycles to come in, its service says
little: what counts is how soon after the last sample the result is there. The fabric stamps the
first beat. It offers a beat in every cycle, so that, as long as none is refused, the last of n
beats is taken n - 1 cycles later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.measure.statistics import Estimate, summarise

if TYPE_CHECKING:
    from harness.fabric.samples import Samples


@dataclass(frozen=True, slots=True)
class Decision:
    """Cycles from the last input beat's handshake to the last output beat's; see `Estimate`."""

    minimum: Estimate
    p99: Estimate
    maximum: Estimate


def decision(samples: Samples | None, beats: int) -> Decision:
    """Return the time to decision, or why it is not known.

    Args:
        samples: What the fabric counted; None if it was not read.
        beats: Input beats of an event.
    """
    if samples is None:
        return _unknown("the fabric was not read")
    refused, window = samples.counters.stall_cycles, beats - 1
    if refused:
        return _unknown(f"input beats were refused in {refused} cycles: the last ones may be late")
    least = samples.service.minimum
    if least is not None and least < window:
        return _unknown(f"a result left {least} cycles after the first of {beats} input beats")
    service = summarise(samples.service)
    return Decision(
        *(
            Estimate(None if item.cycles is None else item.cycles - window, item.reason)
            for item in (service.minimum, service.p99, service.maximum)
        )
    )


def _unknown(reason: str) -> Decision:
    return Decision(*[Estimate(None, reason)] * 3)
