"""Timing of `nn_gearbox`: the same bits in beats of another width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gearbox:
    """Beats of one width to beats of another; zeros or nothing at the end of the event.

    Args:
        in_bits: Bits of a beat that comes in.
        in_beats: Beats of an event that comes in.
        out_bits: Bits of a beat that goes out.
        out_beats: Beats of an event that goes out.
    """

    in_bits: int
    in_beats: int
    out_bits: int
    out_beats: int

    @property
    def interval(self) -> int:
        """Cycles from an event to the next."""
        return max(self.in_beats, self.out_beats)

    def departures(self, arrivals: Sequence[int]) -> list[int]:
        """Return when output beats are first offered; input beats as in `Layer.departures`."""
        grain = math.gcd(self.in_bits, self.out_bits)
        coming, going = self.in_bits // grain, self.out_bits // grain
        last = self.out_beats * going - (self.in_beats - 1) * coming
        room = max(coming, last) + (2 * going if coming < going else going) - 1
        out: list[int] = []
        fill = taken = cycle = 0
        while len(out) < self.out_beats:
            if fill >= going:
                out.append(cycle)
                fill -= going
            if taken < self.in_beats and arrivals[taken] <= cycle:
                size = last if taken == self.in_beats - 1 else coming
                if fill + size <= room:
                    fill += size
                    taken += 1
            cycle += 1
        return out
