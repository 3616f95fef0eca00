"""One thing that was looked at: what should be there, and what is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "equal"]


@dataclass(frozen=True, slots=True)
class Check:
    """Evidence for or against an image or a fabric.

    Args:
        what: What was looked at.
        expected: What should be there.
        found: What is.
        holds: Whether that will do.
        hint: What to do if it will not.
        effect: What it means if it will not: a requirement fails, or what was counted must not be
            believed.
        same: Whether the next sound board must find the very same; not for measured values.
    """

    what: str
    expected: str
    found: str
    holds: bool
    hint: str = ""
    effect: Literal["fail", "invalid"] = "fail"
    same: bool = True


def equal(what: str, expected: object, found: object, hint: str = "") -> Check:
    """Return the check that two values are equal."""
    return Check(what, str(expected), str(found), expected == found, hint)
