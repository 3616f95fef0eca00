"""`harness board`: stand in for a board, or look after one."""

from __future__ import annotations

from importlib import import_module

from harness.board import SUBCOMMANDS
from harness.commands.options import Commands


def add_parser(commands: Commands) -> None:
    """Describe the command's arguments."""
    board = commands.add_parser("board", help="stand in for a board, or look after one")
    kinds = board.add_subparsers(metavar="ACTION", required=True)
    for name in SUBCOMMANDS:
        import_module(f"harness.board.{name}").add_parser(kinds)
