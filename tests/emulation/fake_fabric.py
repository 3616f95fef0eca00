"""A fabric in a few lines of Python: registers that remember, and a stream that comes back."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from harness.errors import BusError

UNMAPPED = 0x3F_0000


class LoopbackFabric:
    """Returns each beat in the cycle that takes it, one a cycle; registers are plain memory.

    Args:
        digest: What it was built for.
        beat_bytes: Of a beat, both ways.
    """

    def __init__(self, digest: str = "", beat_bytes: int = 8) -> None:
        self.digest = digest
        self.beat_bytes = beat_bytes
        self.takes_input = True
        self.sends_last = True
        self.closed = False
        self.words: dict[int, int] = {}
        self._cycle = 16
        self._source: deque[tuple[bytes, bool]] = deque()
        self._sink: deque[tuple[bytes, bool]] = deque()

    @property
    def cycle(self) -> int:
        return self._cycle

    @property
    def unsent(self) -> int:
        return len(self._source)

    def run(self, cycles: int) -> None:
        self._cycle += cycles
        for _ in range(min(cycles, len(self._source)) if self.takes_input else 0):
            data, last = self._source.popleft()
            self._sink.append((data, last and self.sends_last))

    def read(self, offset: int, words: int) -> NDArray[np.uint32]:
        self.run(5 * words)
        if offset >= UNMAPPED:
            raise BusError(f"read of offset {offset:#x} failed", where="stream_bench_0")
        found = [self.words.get(offset + 4 * index, 0) for index in range(words)]
        return np.array(found, np.uint32)

    def write(self, offset: int, words: NDArray[np.uint32]) -> None:
        self.run(5 * len(words))
        for index, word in enumerate(words.tolist()):
            self.words[offset + 4 * index] = word

    def push(self, data: bytes, last: bool) -> None:
        if len(data) % self.beat_bytes:
            raise BusError("not whole beats", where="stream into the fabric")
        beats = [data[at : at + self.beat_bytes] for at in range(0, len(data), self.beat_bytes)]
        self._source.extend((beat, last and beat is beats[-1]) for beat in beats)

    def emit(self, data: bytes, last: bool) -> None:
        """Put bytes on the output stream, as an accelerator would on its own."""
        beats = [data[at : at + self.beat_bytes] for at in range(0, len(data), self.beat_bytes)]
        self._sink.extend((beat, last and beat is beats[-1]) for beat in beats)

    def pop(self, max_bytes: int) -> tuple[bytes, bool]:
        data = b""
        while self._sink and len(data) + self.beat_bytes <= max_bytes:
            beat, last = self._sink.popleft()
            data += beat
            if last:
                return data, True
        return data, False

    def flush(self) -> None:
        self._source.clear()
        self._sink.clear()

    def attach(self, arena: object, clock: object) -> None:
        """Have no memory port."""

    def close(self) -> None:
        self.closed = True
