"""What the documents tell a reader to type is what the command line takes; links lead somewhere."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import make_parser

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if "results" not in path.parts
    and not {part for part in path.relative_to(ROOT).parts if part.startswith(".")} - {".ci"}
)
COMMAND = re.compile(r"^ {4}(?:\$ )?(?:\.venv/bin/)?harness (?P<arguments>[^#\n]+)", re.MULTILINE)
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")


def commands() -> Iterator[tuple[Path, str]]:
    for path in DOCUMENTS:
        for found in COMMAND.finditer(path.read_text().replace("\\\n", " ")):
            yield path, found["arguments"].strip()


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text).strip().lower().replace(" ", "-") for text in headings}


def test_there_are_documents_and_commands() -> None:
    assert ROOT / "README.md" in DOCUMENTS
    assert len(list(commands())) > 20


@pytest.mark.parametrize(
    ("path", "arguments"),
    [pytest.param(p, a, id=f"{p.relative_to(ROOT)}: {a}") for p, a in commands()],
)
def test_a_command_is_one_that_the_command_line_takes(path: Path, arguments: str) -> None:
    # <run> and the like stand for what only the reader knows; a shell would take them for files.
    words = shlex.split(re.sub(r"<[a-z]+>", "x", arguments))
    assert make_parser().parse_args(words).command


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for found in LINK.finditer(path.read_text()):
        target, _, anchor = found["target"].partition("#")
        if "://" in target:
            continue
        place = path if not target else (path.parent / target).resolve()
        assert place.exists(), f"{path}: no {target}"
        if anchor:
            assert anchor in anchors(place), f"{path}: {target} has no heading for #{anchor}"
