"""`overlays/<name>/resources.toml`: what an overlay takes, by family, kept as data.

Synthesis takes minutes to hours, so that counts are made once, by `harness estimate`, and read
afterwards. The file is no part of the design: an overlay's digest leaves it out, and it says of
which digest it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from harness import tomlfile
from harness.architecture.devices import Device, device_table
from harness.errors import OverlayError
from harness.overlay import Overlay
from harness.synthesis.cells import Resources

SCHEMA: Final = 1
LABEL: Final = "estimate by open synthesis, before placement; a vendor's tool counts otherwise"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the parts of an overlay take in one family."""

    accelerator: Resources
    stream_bench: Resources

    def rows(self) -> dict[str, Resources]:
        """Return the parts and their total, by name."""
        return {
            "accelerator": self.accelerator,
            "stream_bench": self.stream_bench,
            "total": self.accelerator + self.stream_bench,
        }


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an overlay takes.

    Args:
        schema: Of the file.
        digest: Of the overlay that was synthesised, 32 hex digits.
        tool: Name and version.
        command: What makes the file again.
        families: Yosys' name of the family to what each part takes there.
    """

    schema: int
    digest: str
    tool: str
    command: str
    families: Mapping[str, Parts]


def path_of(overlay: Overlay) -> Path:
    """Return where an overlay's estimate lies, existing or not."""
    return overlay.folder / "resources.toml"


def read(overlay: Overlay) -> Estimate | None:
    """Return an overlay's estimate, none where nobody made one.

    Raises:
        OverlayError: The file is wrong.
    """
    path = path_of(overlay)
    if not path.is_file():
        return None
    found = tomlfile.structure(tomlfile.read(path, OverlayError), Estimate, str(path), OverlayError)
    if found.schema != SCHEMA:
        raise OverlayError(
            f"schema {found.schema} is not known", where=str(path), hint=f"run: {found.command}"
        )
    return found


def write(overlay: Overlay, estimate: Estimate) -> Path:
    """Write an overlay's estimate, whole or not at all; return where."""
    lines = [
        f"# Written by `{estimate.command}`; do not edit.",
        f"# An {LABEL}.",
        f"schema = {estimate.schema}",
        f'digest = "{estimate.digest}"',
        f'tool = "{estimate.tool}"',
        f'command = "{estimate.command}"',
    ]
    for family, parts in estimate.families.items():
        for part, resources in asdict(parts).items():
            lines += ["", f"[families.{family}.{part}]"]
            lines += [f"{key} = {value}" for key, value in resources.items()]
    path = path_of(overlay)
    draft = path.with_suffix(".new")
    draft.write_text("\n".join(lines) + "\n")
    draft.replace(path)
    return path


def family_of(board: str) -> str:
    """Return Yosys' name of the family of a board's device."""
    part = device_table().devices[board].part.upper()
    return "xc7" if part.startswith("XC7") else "xcup"


def shares(resources: Resources, device: Device) -> dict[str, float | None]:
    """Return what share of a device that is, by resource; None where the device's is not known."""
    found: dict[str, float | None] = {}
    for name, used in asdict(resources).items():
        there = getattr(device, name)
        if there is None:
            found[name] = None
        else:
            found[name] = used / float(there) if float(there) else (0.0 if not used else None)
    return found
