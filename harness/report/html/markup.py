"""HTML and SVG from values: whatever is not markup already is escaped, without exception.

Results come from anywhere. Text becomes markup in `tag` and `join` only, and only by way of
`escape`; `Html` marks what has been through it.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

from harness.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable

Child = object
"""What an element may hold: `Html` as it is, None for nothing, anything else as text."""
_VOID: Final = frozenset({"br", "hr", "link", "meta"})


class Html(str):
    """Text that is markup: made of literals of this package and of escaped values."""

    __slots__ = ()


def escape(value: object) -> Html:
    """Return text as markup: markup characters and quotes escaped, control characters visible."""
    return value if isinstance(value, Html) else Html(html.escape(clean(value), quote=True))


def tag(name: str, /, *children: Child, **attributes: object) -> Html:
    """Return an element.

    Args:
        name: Of the element; a literal.
        children: Its content, see `Child`.
        attributes: By name, `_` standing for `-`; a last `_` avoids Python's own words. None leaves
            an attribute out, numbers are cut to hundredths.
    """
    head = name + "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{head}>")
    return Html(f"<{head}>{join(children)}</{name}>")


def join(children: Iterable[Child], between: str = "") -> Html:
    """Return children one after the other, with a literal between them."""
    return Html(between.join(escape(child) for child in children if child is not None))


def number(value: float) -> str:
    """Return a coordinate: hundredths of a pixel are enough, and zeros at the end are none."""
    text = f"{value:.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _attribute(value: object) -> Html:
    return escape(number(value)) if isinstance(value, float) else escape(value)
