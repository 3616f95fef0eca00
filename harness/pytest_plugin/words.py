"""What the plugin says: errors in the words of pytest's options, and lines of numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.errors import HarnessError
    from harness.report.schema import ReasonItem

    Error = TypeVar("Error", bound=HarnessError)

_OPTION: Final = re.compile(r"--(target|boards?|wait|out)\b")
_PREFIX: Final = re.compile(r"harness\.(\d+\.)?verdict")


def for_pytest(error: Error) -> Error:
    """Return the error with the options that it mentions as pytest knows them."""

    def said(text: str) -> str:
        return _OPTION.sub(r"--harness-\1", text)

    return type(error)(
        error.what, where=said(error.where), why=said(error.why), hint=said(error.hint)
    )


def reasons(verdict: str, found: Sequence[ReasonItem]) -> str:
    """Return verdict and reasons, a line each."""
    meaning = {
        "fail": "a requirement does not hold",
        "invalid": "the numbers must not be believed",
        "interrupted": "it did not run to its end",
    }
    lines = [f"{verdict.upper()}: {meaning.get(verdict, '')}"]
    lines += (
        f"  {item['effect']}: {item['what']}: {item['evidence']}; {item['recommendation']}"
        for item in found
    )
    return "\n".join(lines)


def measurements(test: str, properties: Sequence[tuple[str, object]]) -> Iterator[str]:
    """Yield a line for each run that a test's properties tell of."""
    known = dict(properties)
    for match in filter(None, map(_PREFIX.fullmatch, known)):
        prefix = match[0].removesuffix("verdict")

        def of(name: str, prefix: str = prefix) -> object:
            value = known.get(prefix + name, "-")
            return f"{value:.6g}" if isinstance(value, float) else value

        yield (
            f"{str(of('verdict')).upper():7} {test}: {of('benchmark')}, total p50/p99/p99.9 "
            f"{of('total_p50_ns')}/{of('total_p99_ns')}/{of('total_p999_ns')} ns, "
            f"{of('dropped_events')} dropped, {of('missed_events')} late, {of('time_base')}"
        )
