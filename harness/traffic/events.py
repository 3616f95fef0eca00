"""Batches of events, and what makes them.

A source turns a seed into events, the same ones on every machine: a benchmark on a board's ARM
and its twin in CI must agree on the SHA-256 of what was played. Hence the rules for a source:

* randomness comes from the raw words of PCG64, whose stream NumPy guarantees; the methods of
  `numpy.random.Generator` may change between releases (NEP 19);
* from there to the raw values everything is integer, or floating point that is exact;
* events are made in blocks of fixed size, each with its own generator, so that the first k events
  of n are the k events that `generate(k)` returns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.accelerators import NumberFormat
from harness.errors import BenchmarkError

BLOCK_EVENTS = 16384


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """A batch of events and where it comes from.

    Args:
        raw: Raw fixed-point values, [events, values], in the narrowest integer type that holds
            them.
        truth: What a perfect instrument would know. Where the source has `labels`, the index of
            the true class, int8 [events]. Where it has `truth_names`, the true quantities, float32
            [events, quantities]. -1 in int8 where there is nothing to know.
        sha256: Hex digest of the bytes of `raw`, row by row, little-endian.
        seed: What the source was given.
        name: The source.
        version: Of the source; its events change only with it.
    """

    raw: NDArray[np.integer[Any]]
    truth: NDArray[Any]
    sha256: str
    seed: int
    name: str
    version: int

    def looped(self, count: int) -> Events:
        """Return so many events, these in a loop, as the fabric plays them; same provenance."""
        order = np.arange(count) % len(self.raw)
        return replace(self, raw=self.raw[order], truth=self.truth[order])


class Source(Protocol):
    """Makes the events of one detector."""

    @property
    def name(self) -> str:
        """Name in benchmark files."""

    @property
    def version(self) -> int:
        """Raised whenever the same seed gives other events."""

    @property
    def values(self) -> int:
        """Values of an event."""

    @property
    def number_format(self) -> NumberFormat:
        """Format of the values."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the true classes; empty where events have none."""

    @property
    def truth_names(self) -> tuple[str, ...]:
        """Names of the true quantities, units in brackets; empty where events have none."""

    def generate(self, events: int, seed: int) -> Events:
        """Make the first events of the sequence that a seed stands for.

        Args:
            events: How many, at least 1.
            seed: Any integer from 0.

        Returns:
            The events.

        Raises:
            BenchmarkError: The count or the seed is out of range.
        """


Block = tuple[NDArray[np.integer[Any]], NDArray[Any]]
"""Raw values and truth of as many events as a block has."""


def in_blocks(
    source: Source,
    make: Callable[[int, int], Block],
    events: int,
    seed: int,
    block_events: int = BLOCK_EVENTS,
) -> Events:
    """Do a source's `generate`, given how it makes one block.

    Args:
        source: Whose events they are.
        make: From seed and number of the block to its events.
        events: How many, at least 1.
        seed: Any integer from 0.
        block_events: Events of a block.

    Raises:
        BenchmarkError: The count or the seed is out of range.
    """
    check_request(events, seed)
    part, true = make(seed, 0)
    raw = np.empty((events, *part.shape[1:]), dtype=part.dtype)
    truth = np.empty((events, *true.shape[1:]), dtype=true.dtype)
    for start in range(0, events, block_events):
        if start:
            part, true = make(seed, start // block_events)
        raw[start : start + block_events] = part[: events - start]
        truth[start : start + block_events] = true[: events - start]
    return Events(raw, truth, digest(raw), seed, source.name, source.version)


def digest(raw: NDArray[np.integer[Any]]) -> str:
    """Return the SHA-256 of values as little-endian bytes, in hex."""
    little = np.ascontiguousarray(raw, dtype=raw.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def random_words(seed: int, block: int, words: int) -> NDArray[np.uint64]:
    """Return the random words of one block.

    Args:
        seed: The batch's seed.
        block: Number of the block.
        words: How many.

    Returns:
        Little-endian whatever the machine, uint64 [words].
    """
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(block,))
    words_of_block: NDArray[np.uint64] = np.random.PCG64(sequence).random_raw(words)
    return words_of_block.astype("<u8", copy=False)


def check_request(events: int, seed: int) -> None:
    """Refuse a count below 1 or a negative seed.

    Raises:
        BenchmarkError: One of them is out of range.
    """
    if events < 1:
        raise BenchmarkError(f"{events} events asked of a source", hint="ask for at least 1")
    if seed < 0:
        raise BenchmarkError(f"seed {seed} is negative", hint="seeds are integers from 0")
