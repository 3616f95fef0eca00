"""`harness board release`: take a board out of quarantine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.errors import InputError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    parser = commands.add_parser(
        "release",
        help="take a board out of quarantine",
        description="Take a board out of quarantine, once you have looked after it. Who holds a "
        "board gives it back by ending; nothing has to be released for that.",
    )
    parser.set_defaults(command=main)
    parser.add_argument("target", help="a target, or a name in boards.toml")


def main(options: argparse.Namespace) -> int:
    """Lift a quarantine."""
    from harness.targets import resolve  # noqa: PLC0415
    from harness.targets.lease import quarantined, release_quarantine  # noqa: PLC0415

    resource = resolve(options.target)[0].resource
    if not resource or not release_quarantine(resource):
        known = ", ".join(quarantined())
        raise InputError(
            "is not quarantined",
            where=options.target,
            hint=f"those are: {known}" if known else "no board is",
        )
    print(f"{resource} may be used again")
    return 0
