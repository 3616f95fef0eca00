"""The user's boards: names for ways to reach them, in `boards.toml`.

    [boards.lab]
    target = "pynq://192.168.2.99"
    board = "zcu104"
    notes = "under the desk"

The file is looked for at `$HARNESS_BOARDS`, in the working folder, and in `~/.config/harness`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import tomlfile
from harness.errors import InputError
from harness.inventory import find_board
from harness.targets.spec import FORMS, TargetSpec, parse_spec

__all__ = ["BoardEntry", "boards_path", "read_boards", "resolve"]

SCHEMA_KEY: Final = "boards"


@dataclass(frozen=True, slots=True)
class BoardEntry:
    """One board of the user's.

    Args:
        target: How it is reached, as after --target.
        board: Which kind it is, by its name in the inventory.
        notes: For people.
    """

    target: str
    board: str
    notes: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    boards: dict[str, BoardEntry]


def boards_path() -> Path | None:
    """Return where the user's boards are written down, or None.

    Raises:
        InputError: $HARNESS_BOARDS names no file.
    """
    chosen = os.environ.get("HARNESS_BOARDS")
    if chosen:
        if not Path(chosen).is_file():
            raise InputError("is no file", where=f"$HARNESS_BOARDS = {chosen}")
        return Path(chosen)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    candidates = (Path("boards.toml"), config / "harness" / "boards.toml")
    return next((path for path in candidates if path.is_file()), None)


def read_boards() -> dict[str, BoardEntry]:
    """Return the user's boards by name; empty without a file.

    Raises:
        InputError: The file is wrong; the message names the key.
    """
    path = boards_path()
    if path is None:
        return {}
    data = tomlfile.read(path, InputError)
    found = tomlfile.structure(data, _File, str(path), InputError).boards
    for name, entry in found.items():
        where = f"{path}: {SCHEMA_KEY}.{name}"
        if name in {"virtual", "local", "null"}:
            raise InputError("is the name of a target itself", where=where, hint="call it else")
        try:
            parse_spec(entry.target)
            find_board(entry.board)
        except InputError as error:
            raise InputError(error.what, where=where, why=error.why, hint=error.hint) from error
    return found


def resolve(text: str) -> tuple[TargetSpec, str | None]:
    """Return what a target, or the name of a board, stands for, and the kind of board if known.

    Raises:
        InputError: It is neither.
    """
    if text in {"virtual", "local", "null"} or ":" in text:
        return parse_spec(text), None
    known = read_boards()
    if text not in known:
        hint = tomlfile.near(text, list(known)) if known else "there is no boards.toml"
        raise InputError(
            f"unknown target {text!r}",
            where="--target",
            why=f"known: {', '.join(FORMS)}",
            hint=hint,
        )
    return parse_spec(known[text].target), known[text].board
