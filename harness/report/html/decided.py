"""What the network decided, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report import quality
from harness.report.html.markup import Html, join, tag

if TYPE_CHECKING:
    from harness.report.schema import Result


def of_run(result: Result) -> Html | None:
    """Return the metrics of a run with their intervals, beside the figures of training."""
    rows = list(quality.rows(result))
    if not rows:
        return None
    head = [
        tag("th", title, scope="col", class_="n" if place else None)
        for place, title in enumerate(quality.TITLES)
    ]
    body = [
        tag(
            "tr",
            tag("th", row.name, scope="row"),
            *(tag("td", cell, class_="n") for cell in row[1:]),
        )
        for row in rows
    ]
    return join(
        (
            tag("h3", "What the network decided"),
            tag(
                "div",
                tag("table", tag("thead", tag("tr", *head)), tag("tbody", *body), class_="decided"),
                class_="wide",
            ),
            tag("p", f"Quality: {quality.line(result)}; {quality.BESIDE}.", class_="note"),
        )
    )
