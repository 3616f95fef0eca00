"""An MLPerf Tiny device as a link of the open-loop sender: one `infer` an event.

The input is loaded before the event is due; what is timed is `infer 1 0` to `m-ready`: two lines of
stamps and the results over a serial port included. What the device itself says an inference took is
kept apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.hostpaced.tiny import FIRST_NS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.targets.mlperf_tiny import Inference, TinyDevice

_HALF: Final = 0.5


class MlperfLink:
    """One event an `infer`. The device stays its opener's.

    Args:
        device: Whose identity is known.
        inputs: Input bytes by event; played in a loop.
        golden: The outputs they must cause.
    """

    name = "mlperf"
    synchronous = True

    def __init__(
        self, device: TinyDevice, inputs: Sequence[bytes], golden: Sequence[Sequence[float]]
    ) -> None:
        self._device = device
        self._inputs, self._golden = inputs, [tuple(values) for values in golden]
        self._answers: list[tuple[int, Inference]] = []

    def prepare(self, event: int) -> None:
        """Load the input of `event`."""
        self._device.load(self._inputs[event % len(self._inputs)])

    def submit(self, event: int) -> None:
        """Run one inference and wait for the end of its answer."""
        self._answers.append((event, self._device.infer(1, 0, FIRST_NS)))

    def collect(self) -> Sequence[int]:
        """Return nothing: the answer is there when `submit` returns."""
        return ()

    def finish(self) -> None:
        """Do nothing: every answer has come, and is looked at by `facts`."""

    def facts(self) -> Mapping[str, object]:
        """Return how many answers were unlike the golden ones, and the device's own times."""
        wrong = [
            event
            for event, answer in self._answers
            if not answer.results.agrees(self._golden[event % len(self._golden)])
        ]
        took_us = sorted(answer.device_us for _, answer in self._answers)
        return {
            "in_bytes": len(self._inputs[0]),
            "distinct": len(self._inputs),
            "compared": len(self._answers),
            "mismatches": len(wrong),
            "first_mismatch": wrong[0] if wrong else None,
            "device": {
                "time_base": "device",
                "simulated": self._device.simulated,
                "name": self._device.name,
                "model": self._device.model,
                "inference_us": {
                    "min": took_us[0] if took_us else None,
                    "p50": took_us[int(len(took_us) * _HALF)] if took_us else None,
                    "max": took_us[-1] if took_us else None,
                },
            },
        }
