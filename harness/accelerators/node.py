"""A value of a JSON file with the path that leads to it, so that every fault names its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from harness.accelerators.fixed import NumberFormat
from harness.errors import OverlayError


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and the path that leads to it, for messages.

    Args:
        value: As `json` parsed it; nothing about it is known yet.
        where: The path, such as `model.json.layers[2].weights`.
    """

    value: Any
    where: str

    def fail(self, what: str, hint: str = "") -> NoReturn:
        """Raise with the place.

        Raises:
            OverlayError: Always.
        """
        raise OverlayError(what, where=self.where, hint=hint)

    def table(self, keys: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Node]:
        """Return the members of an object that has all of `keys`, and no others but `optional`."""
        known = (*keys, *optional)
        if not isinstance(self.value, dict):
            self.fail("expected an object", f"with the keys {', '.join(keys)}")
        missing = [key for key in keys if key not in self.value]
        unknown = [key for key in self.value if key not in known]
        if missing or unknown:
            parts = [f"missing {', '.join(missing)}"] if missing else []
            parts += [f"unknown {', '.join(unknown)}"] if unknown else []
            self.fail(f"keys: {'; '.join(parts)}", f"expected {', '.join(known)}")
        return {key: Node(value, f"{self.where}.{key}") for key, value in self.value.items()}

    def items(self, count: int | None = None) -> list[Node]:
        """Return the elements of a list of the given length, or of any but zero."""
        if not isinstance(self.value, list):
            self.fail("expected a list")
        if len(self.value) != count if count is not None else not self.value:
            self.fail(f"{len(self.value)} elements where {count or 'at least one'} are expected")
        return [Node(value, f"{self.where}[{index}]") for index, value in enumerate(self.value)]

    def integer(self, low: int, high: int) -> int:
        """Return an integer between two limits, both included."""
        if type(self.value) is not int or not low <= self.value <= high:
            self.fail(f"{self.value!r} is not an integer in {low}..{high}")
        return self.value

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> NDArray[np.int64]:
        """Return nested lists of integers between two limits as a read-only array.

        Args:
            shape: Elements at each depth.
            low: Least allowed.
            high: Largest allowed, at most 2**63 - 1.
        """
        if len(shape) > 1:
            rows = [item.integers(shape[1:], low, high) for item in self.items(shape[0])]
            array = np.stack(rows)
        elif _all_within(self.value, shape[0], low, high):
            array = np.array(self.value, dtype=np.int64)
        else:  # one by one, to name the one at fault
            found = [item.integer(low, high) for item in self.items(shape[0])]
            array = np.array(found, dtype=np.int64)
        array.flags.writeable = False
        return array

    def choice(self, options: tuple[str, ...]) -> Any:
        """Return one of the options."""
        if not isinstance(self.value, str) or self.value not in options:
            self.fail(f"{self.value!r} is not one of {', '.join(options)}")
        return self.value

    def flag(self) -> bool:
        """Return true or false."""
        if type(self.value) is not bool:
            self.fail(f"{self.value!r} is neither true nor false")
        return self.value

    def number_format(self) -> NumberFormat:
        """Return a number format."""
        members = self.table(("width", "integer", "signed"))
        try:
            return NumberFormat(**{key: node.value for key, node in members.items()})
        except OverlayError as error:
            raise OverlayError(error.what, where=self.where) from error


def _all_within(values: Any, count: int, low: int, high: int) -> bool:
    """Return whether a JSON value is a list of so many integers between two limits."""
    return (
        isinstance(values, list)
        and len(values) == count
        and all(type(value) is int and low <= value <= high for value in values)
    )
