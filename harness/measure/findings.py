"""What a comparison of runs comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.measure.summary import HostIdentity, Identity

Finding = Literal["changed", "regression", "cannot tell", "improvement", "no difference", "same"]
Mode = Literal["exact", "statistical"]
Number = int | float | str | bool | None

# The gravest first. What cannot be told is graver than good news: it may hide a regression.
_ORDER: Final[tuple[Finding, ...]] = (
    "changed",
    "regression",
    "cannot tell",
    "improvement",
    "no difference",
    "same",
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that was compared.

    Args:
        name: Such as `total.p99`.
        finding: `same` or `changed` where runs are compared exactly; otherwise `no difference`,
            `regression`, `improvement`; `cannot tell` where the data do not allow an answer.
        text: What changed and by how much, or why nobody can tell; may be empty.
        numbers: What the finding rests on; names end in their units.
    """

    name: str
    finding: Finding
    text: str
    numbers: Mapping[str, Number]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs before against runs after.

    Args:
        mode: Exact, or by the ranks of repeated runs.
        identity: What the runs before are runs of.
        before: Ids of the runs that are compared with.
        after: Ids of the runs that are judged.
        allowed: Differences between them that the user allowed, in words.
        quantities: What was compared, in a fixed order.
    """

    mode: Mode
    identity: Identity | HostIdentity
    before: tuple[str, ...]
    after: tuple[str, ...]
    allowed: tuple[str, ...]
    quantities: tuple[Quantity, ...]

    @property
    def finding(self) -> Finding:
        """The gravest finding of all quantities."""
        found = {quantity.finding for quantity in self.quantities}
        return next(each for each in _ORDER if each in found)
