"""What others published about the same task: `overlays/<name>/published.toml`.

Figures of others are never in one column with ours: most were computed by a tool, and none was
taken at a detector's rate. Each says what about it may be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

from harness import tomlfile
from harness.errors import InputError, OverlayError
from harness.overlay_files import OVERLAYS, project_root

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE: Final = "published.toml"
SCHEMA: Final = 1
Basis = Literal["implementation", "schedule", "board"]
BASES: Final[Mapping[str, str]] = {
    "implementation": "synthesis/place-and-route only, never timed on a board in the source",
    "schedule": "schedule of the HLS tool only, never implemented, never timed on a board",
    "board": "timed on a board",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One published figure; what the source does not say is left out.

    Args:
        system: Network and tool.
        basis: How its authors came by it, a key of `BASES`.
        source: Where it was published.
        comparable: What about it may be compared with a measured run, and what not.
        device: FPGA.
        clock_mhz: Clock that the latency was computed or measured with.
        latency_ns: From an event's input to its output.
        latency_cycles: The same in cycles, where the source says so.
        ii: Initiation interval in cycles.
        accuracy: In percent.
        data: Data set of the accuracy.
    """

    system: str
    basis: Basis
    source: str
    comparable: str
    device: str = ""
    clock_mhz: Decimal | None = None
    latency_ns: Decimal | None = None
    latency_cycles: int | None = None
    ii: int | None = None
    accuracy: Decimal | None = None
    data: str = ""

    def __post_init__(self) -> None:
        for key in ("system", "source", "comparable"):
            if not getattr(self, key).strip():
                raise InputError("must not be empty", where=key)
        for key in ("clock_mhz", "latency_ns", "latency_cycles", "ii", "accuracy"):
            value = getattr(self, key)
            if value is not None and not (Decimal(value).is_finite() and value > 0):
                raise InputError("must be a positive number", where=key, why=f"got {value}")


@dataclass(frozen=True, slots=True)
class Published:
    """Content of a `published.toml`.

    Args:
        schema: Version of the file format.
        task: What all the figures are about.
        figure: The figures.
    """

    schema: int
    task: str
    figure: Sequence[Figure]

    def __post_init__(self) -> None:
        if self.schema != SCHEMA:
            raise InputError(
                f"this harness reads schema {SCHEMA}", where="schema", why=f"got {self.schema}"
            )


def load(path: Path) -> Published:
    """Read a file of published figures.

    Raises:
        OverlayError: Something in it is wrong; the message names file and key.
    """
    return tomlfile.structure(tomlfile.read(path, OverlayError), Published, str(path), OverlayError)


def find(overlay: str) -> Published | None:
    """Return what is published about the task of an overlay, None if there is no file.

    Args:
        overlay: Name, as a result gives it; anything but a plain word has no file.

    Raises:
        OverlayError: The file is wrong.
    """
    if not overlay.isidentifier():
        return None
    try:
        path = project_root() / OVERLAYS / overlay / FILE
    except OverlayError:
        return None
    return load(path) if path.is_file() else None
