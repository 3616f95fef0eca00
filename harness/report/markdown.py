"""A table of runs as Markdown, for the text of a pull request.

Strings of a result are text there, whatever they hold: they cannot become markup, a link, a
mention of somebody, or another cell of the table.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from harness.report import quality, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness.report.schema import Result, Value
    from harness.report.store import Stored

_SPECIAL: Final = re.compile(r"""[!"#$&'*/:<=>?@\[\\\]^_`{|}~]|(?<![0-9])\.|\.(?![0-9])|^[-+]""")
_HEADS: Final = (
    ("verdict", ""),
    ("benchmark", ""),
    ("target", ""),
    ("rate", "-:"),
    ("dropped", "-:"),
    ("p50", "-:"),
    ("p99", "-:"),
    ("max", "-:"),
    ("why", ""),
)
_LONGEST: Final = 200


def summary(stored: Sequence[Stored], unreadable: Mapping[Path, str] | None = None) -> str:
    """Return a summary of runs: a table for each time base, and what could not be read.

    Args:
        stored: Runs, at least one.
        unreadable: Folders that could not be read, and why.
    """
    bases: dict[str, list[Result]] = {}
    for item in stored:
        bases.setdefault(item.result["time_base"], []).append(item.result)
    lines = [_headline([item.result for item in stored])]
    for results in bases.values():
        lines += ["", f"Time base: {escape(text.time_base(results[0]))}.", ""]
        lines.append(_row([head for head, _ in _HEADS]))
        lines.append(_row([rule or "-" for _, rule in _HEADS]))
        lines += [_row(_cells(result)) for result in results]
    lines += _decisions([item.result for item in stored])
    lines += ["", "Latency is total, from the cycle in which an event was due until it was done."]
    for folder, why in (unreadable or {}).items():
        lines.append(f"- not shown: {escape(folder)}: {escape(why)}")
    return "\n".join(lines) + "\n"


def escape(value: object) -> str:
    """Return text that Markdown shows as it is.

    Punctuation becomes character references, which are never markup. After `@` and `#` comes a
    space of no width: sites look for mentions and issue numbers in what they have rendered.
    """
    plain = text.clean(value)
    if len(plain) > _LONGEST:
        plain = plain[: _LONGEST - 3] + "..."
    escaped = _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", plain)
    for mark in "@#":
        escaped = escaped.replace(f"&#{ord(mark)};", f"&#{ord(mark)};&#8203;")
    return escaped


def _headline(results: Sequence[Result]) -> str:
    counts: dict[str, int] = {}
    for result in results:
        counts[result["verdict"]] = counts.get(result["verdict"], 0) + 1
    told = ", ".join(f"{count} {escape(verdict)}" for verdict, count in counts.items())
    return f"**{len(results)} {'run' if len(results) == 1 else 'runs'}: {told}**"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(result: Result) -> list[str]:
    total, events = result["latency"]["total"], result["events"]
    return [
        f"**{escape(result['verdict'])}**",
        escape(result["benchmark"]["name"]),
        escape(result["target"]),
        text.hertz(result["rate"]["target_hz"]),
        f"{text.count(events['dropped'])} of {text.count(events['scheduled'])}",
        *(_both(total[key]) for key in ("p50", "p99", "max")),
        _why(result),
    ]


def _decisions(results: Sequence[Result]) -> list[str]:
    """Return the table of what the networks decided; nothing if no run says."""
    body = [
        _row([escape(result["benchmark"]["name"]), *map(escape, row)])
        for result in results
        for row in quality.rows(result)
    ]
    if not body:
        return []
    rule = ["-", "-", *["-:"] * (len(quality.TITLES) - 1)]
    return ["", _row(["benchmark", *quality.TITLES]), _row(rule), *body, "", f"{quality.BESIDE}."]


def _both(value: Value | None) -> str:
    if value is None:
        return text.NOTHING
    return f"{text.ns_of(value)} ({text.cycles_of(value)} cycles)"


def _why(result: Result) -> str:
    """Return the gravest reason, and how many more there are."""
    reasons = result["reasons"]
    if not reasons:
        return ""
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{escape(reasons[0]['what'])}: {escape(reasons[0]['evidence'])}{more}"
