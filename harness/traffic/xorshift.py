"""The gateware's random generator, many cycles at a time.

Marsaglia's xorshift64 (triple 13, 7, 17; J. Stat. Softw. 8(14), 2003) steps once per clock cycle
in the fabric. Stepping it in Python would take hours for a run of seconds, but the step is linear
over GF(2): a matrix moves a state any number of cycles at once. So many lanes, spread over a
stretch of cycles, step side by side in NumPy.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

MASK64 = (1 << 64) - 1
_LANES = 4096
_STEPS = 256
STRETCH_CYCLES = _LANES * _STEPS


def xorshift64(state: int) -> int:
    """Return the state one cycle later."""
    state ^= state << 13 & MASK64
    state ^= state >> 7
    return state ^ (state << 17 & MASK64)


def ticking_cycles(seed: int, threshold: int) -> Iterator[NDArray[np.int64]]:
    """Yield, without end, the cycles in which the upper half of the state is below a threshold.

    Args:
        seed: State in cycle 0, not zero.
        threshold: 1 .. 2**32 - 1.

    Yields:
        Rising cycle numbers, int64, those of the next `STRETCH_CYCLES` cycles.
    """
    lanes = _lanes(seed)
    # After its steps a lane stands where its neighbour began: on to the stretch that follows.
    onward = _power((_LANES - 1) * _STEPS)
    ticks = np.empty((_STEPS, _LANES), dtype=np.bool_)
    limit = np.uint64(threshold << 32)
    start = 0
    while True:
        for step in range(_STEPS):
            np.less(lanes, limit, out=ticks[step])
            _step(lanes)
        lanes = _apply(onward, lanes)
        # NumPy's indices have 32 bits on the boards' 32-bit ARM; runs are longer.
        yield np.flatnonzero(ticks.T.ravel()).astype(np.int64) + start
        start += STRETCH_CYCLES


def _step(states: NDArray[np.uint64]) -> None:
    """Move every state on by one cycle, in place."""
    states ^= states << np.uint64(13)
    states ^= states >> np.uint64(7)
    states ^= states << np.uint64(17)


def _lanes(seed: int) -> NDArray[np.uint64]:
    """Return the states in cycles 0, 256, 512, ..., uint64 [4096]."""
    lanes = np.array([seed], dtype=np.uint64)
    jump = _power(_STEPS)
    while len(lanes) < _LANES:
        lanes = np.concatenate([lanes, _apply(jump, lanes)])
        jump = _apply(jump, jump)
    return lanes


def _power(cycles: int) -> NDArray[np.uint64]:
    """Return the matrix of that many cycles: the images of the 64 unit vectors, uint64 [64]."""
    units = np.uint64(1) << np.arange(64, dtype=np.uint64)
    result, square = units, units.copy()
    _step(square)
    while cycles:
        if cycles & 1:
            result = _apply(square, result)
        square = _apply(square, square)
        cycles >>= 1
    return result


def _apply(matrix: NDArray[np.uint64], states: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the images of states: the sum of the columns that their set bits choose."""
    images = np.zeros_like(states)
    for bit, column in enumerate(matrix):
        images ^= (states >> np.uint64(bit) & np.uint64(1)) * column
    return images
