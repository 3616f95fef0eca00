"""The table of real devices: what it says has a source, and what has none is missing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.architecture.devices import (
    Device,
    Figure,
    Memory,
    device_table,
    find_device,
    read_table,
)
from harness.errors import InputError
from harness.inventory import all_boards

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = device_table()


def figures_of(item: Device | Memory) -> Iterator[tuple[str, Figure]]:
    for field in dataclasses.fields(item):
        value = getattr(item, field.name)
        if isinstance(value, Figure):
            yield field.name, value
        elif isinstance(value, tuple):
            for memory in value:
                yield from figures_of(memory)


@pytest.mark.parametrize("name", TABLE.devices)
def test_every_figure_has_a_source_and_makes_sense(name: str) -> None:
    found = list(figures_of(TABLE.devices[name]))
    assert found
    for key, figure in found:
        assert figure.source in TABLE.sources, key
        assert figure.value > 0 or (key == "uram" and figure.value == 0), key


def test_no_source_is_left_over_and_a_second_record_is_named() -> None:
    used = {figure.source for device in TABLE.devices.values() for _, figure in figures_of(device)}
    assert used == set(TABLE.sources)
    for source in TABLE.sources.values():
        assert bool(source.record) == (source.checked == "second record")


def test_every_board_of_the_project_is_in_the_table() -> None:
    assert set(all_boards()) <= set(TABLE.devices)
    for name, board in all_boards().items():
        # xczu7ev-ffvc1156-2-e is the XCZU7EV of the table, xc7z020clg400-1 its XC7Z020.
        assert board.part.upper().startswith(TABLE.devices[name].part.split("-")[0])


def test_the_boards_that_the_question_names_are_there() -> None:
    assert {
        "pynq-z2", "zcu104", "kv260", "rfsoc4x2", "zcu216", "arty-a7", "u50", "u55c", "u250",
        "vu9p", "vu13p",
    } <= set(TABLE.devices)  # fmt: skip


def test_figures_that_were_read_stand_as_they_were_read() -> None:
    (ddr3,) = find_device("pynq-z2").memory or ()
    # The preset: 16 bit at 2 x 525 MHz, tRCD = tRP = 7 cycles; UG585: at most 75 %.
    assert float(ddr3.peak_gbps or 0) == 2 * 2 * 525e6 / 1e9
    assert float(ddr3.activate_ns or 0) == round(7 / 525e6 * 1e9, 2)
    assert ddr3.usable_gbps == 2.1 * 0.75
    (hbm,) = find_device("u55c").memory or ()
    assert float(hbm.peak_gbps or 0) == 32 * 14.375
    assert hbm.usable_gbps == pytest.approx(425, abs=0.1)
    k26 = find_device("kv260")
    assert [int(item) for item in (k26.lut, k26.bram, k26.dsp, k26.uram) if item] == [
        117120, 144, 1248, 64,
    ]  # fmt: skip


def test_access_is_measured_where_somebody_did_and_else_a_bound_of_the_memory_itself() -> None:
    (hbm,) = find_device("u55c").memory or ()
    assert hbm.least_access_ns == 122.2
    assert hbm.row_miss_ns == pytest.approx(31.1)
    (ddr4,) = find_device("zcu104").memory or ()
    assert ddr4.access_ns is None
    assert ddr4.least_access_ns == pytest.approx(2 * 13.33)
    assert ddr4.row_miss_ns == pytest.approx(2 * 13.33)


def test_what_was_not_found_is_missing() -> None:
    (ddr4,) = find_device("rfsoc4x2").memory or ()
    assert (ddr4.peak_gbps, ddr4.usable_gbps, ddr4.least_access_ns) == (None, None, None)
    assert ddr4.row_miss_ns is None
    assert find_device("kv260").ram_mhz is None
    # A board without memory is not a device whose board is not known.
    assert find_device("basys3").memory == ()
    assert find_device("vu9p").memory is None


def test_ram_bits_are_blocks_times_their_size() -> None:
    assert find_device("pynq-z2").ram_bits == 140 * 36864  # 4.9 Mb, as DS190 counts
    assert find_device("vu13p").ram_bits == 2688 * 36864 + 1280 * 294912
    assert Device("a", "b").ram_bits is None


def test_an_unknown_device_is_refused_with_a_hint() -> None:
    with pytest.raises(InputError, match="did you mean 'zcu104'"):
        find_device("zcu14")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = 2\nsource = {}\ndevice = {}\n", "schema 2 is not 1"),
        ('schema = 1\nsource = {}\n[device.x]\ntitle = "a"\n', r"device\.x\.part: is missing"),
        (
            'schema = 1\nsource = {}\n[device.x]\ntitle = "a"\npart = "b"\nlut = 5\n',
            r"device\.x\.lut",
        ),
    ],
)
def test_a_damaged_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(path)
