"""Contiguous memory: pieces never overlap, keep their content, and run out honestly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.emulation.memory import PAGE_BYTES, Block, ContiguousMemory
from harness.errors import BoardError, BusError

BASE = 0x6000_0000
PAGES = 16


def make(pages: int = PAGES) -> ContiguousMemory:
    return ContiguousMemory(BASE, pages * PAGE_BYTES)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6 * PAGE_BYTES)), max_size=40))
def test_against_a_map_of_pages(steps: list[tuple[bool, int]]) -> None:
    memory = make()
    owner: list[Block | None] = [None] * PAGES
    blocks: list[Block] = []
    for allocate, number in steps:
        if allocate:
            wanted = max(1, -(-number // PAGE_BYTES))
            fits = [
                at
                for at in range(PAGES - wanted + 1)
                if all(item is None for item in owner[at : at + wanted])
            ]
            if not fits:
                with pytest.raises(BoardError):
                    memory.allocate(number)
                continue
            block = memory.allocate(number)
            assert block == Block(BASE + fits[0] * PAGE_BYTES, wanted * PAGE_BYTES)  # first fit
            owner[fits[0] : fits[0] + wanted] = [block] * wanted
            blocks.append(block)
        elif blocks:
            block = blocks.pop(number % len(blocks))
            memory.free(block)
            owner = [None if item == block else item for item in owner]
        assert memory.free_bytes == owner.count(None) * PAGE_BYTES
        runs = "".join("." if item is None else "x" for item in owner).split("x")
        assert memory.largest_free_bytes == max(map(len, runs)) * PAGE_BYTES


def test_exhaustion_says_how_much_is_left() -> None:
    memory = make(4)
    first, second = memory.allocate(PAGE_BYTES), memory.allocate(PAGE_BYTES)
    memory.allocate(PAGE_BYTES)
    memory.free(first)
    memory.free(second)
    memory.allocate(1)
    with pytest.raises(BoardError) as caught:
        memory.allocate(2 * PAGE_BYTES)
    assert "8192 of 16384 bytes are free, 4096 of them in one piece" in str(caught.value)
    assert "cannot allocate 8192 bytes" in str(caught.value)


def test_freeing_twice_is_refused() -> None:
    memory = make()
    block = memory.allocate(1)
    memory.free(block)
    with pytest.raises(BoardError, match="not allocated"):
        memory.free(block)


def test_bus_and_array_see_the_same_bytes() -> None:
    memory = make()
    memory.allocate(1)
    block = memory.allocate(100)
    memory.write(block.address + 3, b"hello")
    assert memory.view(block)[3:8].tobytes() == b"hello"
    memory.view(block)[:4] = np.arange(4, dtype=np.uint8)
    assert memory.read(block.address, 8) == b"\0\1\2\3ello"


@pytest.mark.parametrize(
    ("address", "size"),
    [(BASE - 1, 1), (BASE - 1, 2), (BASE + PAGES * PAGE_BYTES, 1), (BASE, PAGES * PAGE_BYTES + 1)],
)
def test_a_bus_master_cannot_leave_the_arena(address: int, size: int) -> None:
    memory = make()
    assert not memory.contains(address, size)
    with pytest.raises(BusError, match=r"0x60000000\.\.0x6000ffff"):
        memory.read(address, size)
    with pytest.raises(BusError):
        memory.write(address, bytes(size))
    assert memory.contains(BASE, PAGES * PAGE_BYTES)
