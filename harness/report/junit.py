"""Comparisons as JUnit XML, which every CI shows: a test case for each quantity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from harness.errors import StorageError
from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from harness.measure.findings import Comparison, Finding, Quantity

_FAILURES: Final = frozenset({"changed", "regression"})
_SKIPPED: Final[Finding] = "cannot tell"


def write(found: Sequence[Comparison], path: Path) -> None:
    """Write comparisons as one file, each as a test suite.

    A change or regression is a failure, what cannot be told is skipped with the reason. The numbers
    are properties of the test case.

    Raises:
        StorageError: The file cannot be written.
    """
    root = ET.Element("testsuites", _totals(found))
    for comparison in found:
        root.append(_suite(comparison))
    ET.indent(root)
    try:
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as cause:
        why = cause.strerror or str(cause)
        raise StorageError("cannot be written", where=str(path), why=why) from cause


def _totals(found: Iterable[Comparison]) -> dict[str, str]:
    findings = [quantity.finding for each in found for quantity in each.quantities]
    return {
        "tests": str(len(findings)),
        "failures": str(sum(finding in _FAILURES for finding in findings)),
        "skipped": str(findings.count(_SKIPPED)),
        "errors": "0",
    }


def _suite(comparison: Comparison) -> ET.Element:
    identity = comparison.identity
    name = f"{identity.benchmark} on {identity.overlay}"
    suite = ET.Element("testsuite", {"name": clean(name), **_totals([comparison])})
    facts = {
        "mode": comparison.mode,
        "time_base": identity.time_base,
        "board": identity.board,
        "before": " ".join(comparison.before),
        "after": " ".join(comparison.after),
        "allowed": "; ".join(comparison.allowed),
    }
    suite.append(_properties(facts))
    class_name = clean(f"{identity.benchmark}.{comparison.after[0]}")
    for quantity in comparison.quantities:
        suite.append(_case(quantity, class_name))
    return suite


def _case(quantity: Quantity, class_name: str) -> ET.Element:
    case = ET.Element("testcase", {"classname": class_name, "name": clean(quantity.name)})
    case.append(_properties({"finding": quantity.finding, **quantity.numbers}))
    if quantity.finding in _FAILURES:
        attributes = {"type": quantity.finding, "message": clean(quantity.text)}
        ET.SubElement(case, "failure", attributes)
    elif quantity.finding == _SKIPPED:
        ET.SubElement(case, "skipped", {"message": clean(quantity.text)})
    return case


def _properties(values: Mapping[str, object]) -> ET.Element:
    # XML has no way to write most control characters: cleaned, they appear as their escapes.
    element = ET.Element("properties")
    for name, value in values.items():
        text = "" if value is None else clean(value)
        ET.SubElement(element, "property", {"name": clean(name), "value": text})
    return element
