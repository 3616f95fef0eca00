"""Where a kernel stands along one side of an image."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """One side of an image and of a kernel that moves along it.

    Args:
        length: Pixels.
        kernel: Pixels that a window covers; no more than there are, unless `same`.
        stride: Pixels from a window to the next.
        same: As many windows as strides in the image, with zeros around; else none outside.
    """

    length: int
    kernel: int
    stride: int
    same: bool

    @property
    def windows(self) -> int:
        """How many fit."""
        span = self.length - 1 if self.same else self.length - self.kernel
        return span // self.stride + 1

    @property
    def before(self) -> int:
        """Zeros before the first pixel."""
        return (self.kernel - 1) // 2 if self.same else 0

    @property
    def after(self) -> int:
        """Zeros that the last window needs after the last pixel."""
        reach = (self.windows - 1) * self.stride + self.kernel - self.before
        return max(reach - self.length, 0)

    @property
    def padded(self) -> int:
        """Pixels with the zeros."""
        return self.before + self.length + self.after

    @property
    def ends(self) -> range:
        """Where windows end, in pixels less `after`: never beyond the image."""
        first = self.kernel - 1 - self.before - self.after
        return range(first, first + self.windows * self.stride, self.stride)

    def strided(self, offset: int) -> slice:
        """Return the padded pixels that lie below one place of the kernel."""
        return slice(offset, offset + (self.windows - 1) * self.stride + 1, self.stride)
