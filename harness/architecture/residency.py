"""Where the weights of an overlay live while it runs, and what that costs an event in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.accelerators.model_file import load_model
from harness.architecture.network import of_model

if TYPE_CHECKING:
    from harness.overlay import Overlay

Where = Literal["on-chip", "off-chip", "none"]


@dataclass(frozen=True, slots=True)
class Residency:
    """Where weights are.

    Args:
        weights: `none` for an accelerator without a model.
        bytes: Of all weights and biases, packed; None where there is no model to count.
        off_chip_bytes: Fetched from outside the device for every event; None if not known.
        basis: How `off_chip_bytes` is known.
    """

    weights: Where
    bytes: int | None
    off_chip_bytes: float | None
    basis: str


def residency(overlay: Overlay, counted_bytes: float | None = None) -> Residency:
    """Return where an overlay's weights are.

    Args:
        overlay: Whose manifest says so.
        counted_bytes: What a run counted off chip for every event, where it did.

    Raises:
        OverlayError: The model file is wrong.
    """
    path = overlay.model_path
    bits = None if path is None else of_model(load_model(path)).bits
    size = None if bits is None else -(-bits // 8)
    if overlay.accelerator.weights == "off-chip":
        if counted_bytes is not None:
            return Residency("off-chip", size, counted_bytes, "counted in the run")
        return Residency("off-chip", size, None, "the manifest says off-chip; nothing counted it")
    if path is None:
        return Residency("none", None, 0.0, "the overlay has no model: there is nothing to fetch")
    return Residency("on-chip", size, 0.0, "the manifest: weights are part of the design")


def trigger_class(found: Residency) -> tuple[bool, str]:
    """Return whether weights allow calling a design trigger-class, and why not.

    A trigger must answer at the rate of the crossings whatever else uses the memory, so nothing
    that an event needs may come from outside the device.
    """
    if found.weights == "off-chip":
        return False, "weights are fetched from external memory"
    return True, ""
