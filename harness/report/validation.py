"""A validation as people and CI read it: a line for each step, and JUnit XML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.text import Text

from harness.errors import StorageError
from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["show", "show_changes", "write_junit"]

_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "pass": ("ok", "green"),
    "fail": ("FAIL", "bold red"),
    "invalid": ("INVALID", "bold yellow"),
    "error": ("ERROR", "bold magenta"),
    "skipped": ("skip", "dim"),
}
_HEADS: Final[Mapping[str, str]] = {
    "pass": "bold black on green",
    "fail": "bold white on red",
    "invalid": "bold black on yellow",
    "error": "bold white on magenta",
}
_SHOWN: Final = 4


def show(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print a certificate: the verdict, then a line for each step, with evidence where it fails."""
    out = console or Console(highlight=False, soft_wrap=True)
    overlay, outcome = found["overlay"], str(found["outcome"])
    head = Text(f" {outcome.upper()} ", _HEADS.get(outcome, "bold"))
    head.append(f"  {clean(overlay['name'])} {clean(overlay['version'])}", "not bold")
    head.append(f" on {clean(found['board']['name'])} ({clean(found['target'])}), {found['level']}")
    out.print(head)
    for step in found["steps"]:
        _line(out, step)
    seconds = found["facts"]["duration_ns"] / 1e9
    out.print(Text(f"{_told(found['steps'])}, in {seconds:.1f} s", "dim"))


def _told(steps: list[Mapping[str, Any]]) -> str:
    outcomes = [step["outcome"] for step in steps]
    return ", ".join(f"{outcomes.count(kind)} {kind}" for kind in _MARKS if kind in outcomes)


def _line(out: Console, step: Mapping[str, Any]) -> None:
    mark, style = _MARKS[step["outcome"]]
    line = Text(f"  {mark:<8}", style)
    line.append(f"{step['name']:<20}", "not dim")
    broken = [check for check in step["checks"] if not check["holds"]]
    text = step["summary"] if step["outcome"] == "pass" else step["reason"] or step["summary"]
    if broken and step["outcome"] != "error":
        text = step["title"]
    line.append(clean(text), "" if step["outcome"] == "pass" else style)
    out.print(line)
    for check in broken[:_SHOWN]:
        told = f"{check['what']}: expected {check['expected']}, found {check['found']}"
        out.print(Text(f"          {'':<20}{clean(told)}"))
    if len(broken) > _SHOWN:
        out.print(Text(f"          {'':<20}and {len(broken) - _SHOWN} more, see the certificate"))
    for hint in dict.fromkeys(check["hint"] for check in broken if check.get("hint")):
        out.print(Text(f"          {'':<20}-> {clean(hint)}", "italic"))


def show_changes(changes: Iterable[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print what differs between two certificates, what matters first."""
    out = console or Console(highlight=False, soft_wrap=True)
    listed = sorted(changes, key=lambda change: not change["matters"])
    if not listed:
        out.print("nothing changed since that certificate")
    for change in listed:
        kind = ("CHANGED ", "bold red") if change["matters"] else ("note    ", "dim")
        line = Text("  ").append(*kind)
        line.append(
            f"{clean(change['item'])}: {clean(change['before'])} -> {clean(change['after'])}"
        )
        out.print(line)


def write_junit(found: Mapping[str, Any], path: Path) -> None:
    """Write a certificate as JUnit XML: a test case for each step.

    Raises:
        StorageError: The file cannot be written.
    """
    steps = found["steps"]
    outcomes = [step["outcome"] for step in steps]
    totals = {
        "tests": str(len(steps)),
        "failures": str(outcomes.count("fail") + outcomes.count("invalid")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
        "time": f"{found['facts']['duration_ns'] / 1e9:.3f}",
    }
    overlay, board = found["overlay"], found["board"]
    name = clean(f"validate {overlay['name']} on {board['name']}")
    root = ET.Element("testsuites", totals)
    suite = ET.SubElement(root, "testsuite", {"name": name, **totals})
    facts = {"digest": overlay["digest"], "target": found["target"], "level": found["level"]}
    _properties(suite, {**facts, "time_base": found["time_base"], "seed": found["seed"]})
    for step in steps:
        _case(suite, step, clean(f"validate.{overlay['name']}.{board['name']}"))
    ET.indent(root)
    try:
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise StorageError("cannot be written", where=str(path), why=why) from error


def _case(suite: ET.Element, step: Mapping[str, Any], class_name: str) -> None:
    seconds = f"{step['took_ns'] / 1e9:.3f}"
    case = ET.SubElement(
        suite, "testcase", {"classname": class_name, "name": clean(step["name"]), "time": seconds}
    )
    numbers = {name: item["value"] for name, item in step["numbers"].items()}
    _properties(case, {"outcome": step["outcome"], "found": step["summary"], **numbers})
    kind = {"fail": "failure", "invalid": "failure", "error": "error", "skipped": "skipped"}
    if step["outcome"] in kind:
        attributes = {"message": clean(step["reason"])}
        if step["outcome"] != "skipped":
            attributes["type"] = step["outcome"]
        element = ET.SubElement(case, kind[step["outcome"]], attributes)
        broken = [check for check in step["checks"] if not check["holds"]]
        element.text = "\n".join(
            clean(f"{c['what']}: expected {c['expected']}, found {c['found']}") for c in broken
        )


def _properties(parent: ET.Element, values: Mapping[str, object]) -> None:
    element = ET.SubElement(parent, "properties")
    for name, value in values.items():
        ET.SubElement(element, "property", {"name": clean(name), "value": clean(value)})
