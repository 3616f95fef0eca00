from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from harness.errors import BenchmarkError
from harness.traffic import FILLING_NAMES, SLOTS, filling, gaps
from harness.traffic.filling import ABORT_GAP_SLOTS


def runs(filled: list[bool]) -> list[tuple[bool, int]]:
    return [(value, len(list(group))) for value, group in groupby(filled)]


def test_the_2744_bunch_scheme_is_the_one_the_name_describes() -> None:
    orbit = filling("25ns_2744b_bcms")
    assert orbit.filled.shape == (3564,)
    assert int(orbit.filled.sum()) == 2744
    lengths = runs(orbit.filled.tolist())
    trains = [length for value, length in lengths if value]
    assert trains == [8] + [48] * 57
    empty = [length for value, length in lengths if not value]
    assert empty.count(7) == 9 * 4 + 3 * 3
    assert empty.count(31) == 12
    assert lengths[-1] == (False, 133)
    assert len(lengths) == 58 + 45 + 12 + 1


def test_the_2760_bunch_scheme_is_the_one_the_name_describes() -> None:
    orbit = filling("25ns_2760b")
    assert int(orbit.filled.sum()) == 2760
    trains = [length for value, length in runs(orbit.filled.tolist()) if value]
    assert trains == [12, 12] + [72] * (6 * 4 + 4 * 3 + 2)
    empty = [length for value, length in runs(orbit.filled.tolist()) if not value]
    assert empty.count(7) == 6 * 3 + 4 * 2 + 1
    assert empty.count(31) == 12


def test_the_2556_bunch_scheme_is_the_one_the_name_describes() -> None:
    lengths = runs(filling("25ns_2556b").filled.tolist())
    assert sum(length for value, length in lengths if value) == 2556
    assert [length for value, length in lengths if value] == [12] + [48] * (2 + 17 * 3)
    empty = [length for value, length in lengths if not value]
    assert empty.count(7) == 17 * 2
    assert empty.count(31) == 19  # between 20 injections


def test_trains_of_8b4e_have_four_empty_slots_after_each_eight() -> None:
    lengths = runs(filling("8b4e_1972b").filled.tolist())
    assert sum(length for value, length in lengths if value) == 1972
    assert [length for value, length in lengths if value] == [12] + [8] * 245
    empty = [length for value, length in lengths if not value]
    assert empty.count(4) == 35 * 6
    assert empty.count(7) == 2 * 3 + 9 * 2
    assert empty.count(31) == 11  # between 12 injections


@pytest.mark.parametrize("name", FILLING_NAMES)
def test_every_scheme_fits_the_orbit_and_leaves_the_abort_gap(name: str) -> None:
    orbit = filling(name)
    lengths = runs(orbit.filled.tolist())
    assert sum(length for _, length in lengths) == SLOTS
    assert lengths[0][0]
    value, length = lengths[-1]
    assert not value
    assert length >= ABORT_GAP_SLOTS


@pytest.mark.parametrize("name", FILLING_NAMES)
def test_bunches_are_numbered_within_their_train(name: str) -> None:
    orbit = filling(name)
    number = -1
    for filled, bunch in zip(orbit.filled.tolist(), orbit.bunch.tolist(), strict=True):
        number = number + 1 if filled else -1
        assert bunch == number


@pytest.mark.parametrize("name", FILLING_NAMES)
def test_gaps_walk_once_around_the_orbit(name: str) -> None:
    orbit = filling(name)
    table = gaps(orbit)
    assert table.dtype == np.uint16
    assert len(table) == orbit.filled.sum()
    assert int(table.sum()) == SLOTS
    # From the last filled slot, gap by gap, one reaches exactly the filled slots.
    place, reached = int(orbit.slots[-1]), []
    for gap in table.tolist():
        place = (place + gap) % SLOTS
        reached.append(place)
    assert reached == np.flatnonzero(orbit.filled).tolist()


def test_an_unknown_scheme_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BenchmarkError, match="'50ns'; known: 25ns_2744b_bcms, 25ns_2760b"):
        filling("50ns")
