from __future__ import annotations

import io
import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.benchmark import list_benchmarks
from harness.cli import main
from harness.errors import BenchmarkError, InputError, StorageError
from harness.report import sweep as view
from harness.sweep import matrix
from harness.sweep.journal import NAME, Journal, decode, encode
from harness.sweep.matrix import Axis, Plan, Search, points
from harness.sweep.search import boundary

if TYPE_CHECKING:
    from collections.abc import Sequence

DIAL = ("smoke/dial",)


def plan(*axes: Axis, **changes: Any) -> Plan:
    return Plan(**{"benchmarks": DIAL, "target": "virtual", "axes": axes, **changes})


# The matrix


def test_points_are_the_product_of_the_axes_in_order() -> None:
    found = points(plan(Axis("run.derandomiser", ("2", "3")), Axis("run.events", ("10", "20"))))
    assert [dict(item.values) for item in found] == [
        {"run.derandomiser": depth, "run.events": events}
        for depth, events in itertools.product("23", ("10", "20"))
    ]
    assert found[1].overrides == ("run.derandomiser=2", "run.events=20")
    assert len({item.digest for item in found}) == 4
    assert {item.overlay for item in found} == {"dial"}


def test_rates_are_evenly_spaced_and_exact_to_a_millihertz() -> None:
    low, high, count = matrix.parse_rates("10 MHz:40MHz:4")
    assert matrix.rate_axis(low, high, count).values == (
        "10000000 Hz", "20000000 Hz", "30000000 Hz", "40000000 Hz",
    )  # fmt: skip
    thirds = matrix.rate_axis(Fraction(1), Fraction(2), 4).values
    assert thirds == ("1 Hz", "1.333 Hz", "1.667 Hz", "2 Hz")
    assert matrix.parse_rates("1 kHz:1 kHz:1") == (Fraction(1000), Fraction(1000), 1)
    assert matrix.parse_rates("1 kHz:2 kHz", 5) == (Fraction(1000), Fraction(2000), 5)


@pytest.mark.parametrize(
    "text",
    ["", "1 MHz", "1 MHz:2 MHz", "2 MHz:1 MHz:3", "1 MHz:2 MHz:0", "1 MHz:2 MHz:-1", "nan:nan:3",
     "nan MHz:2 MHz:3", "1 MHz:inf MHz:3", "1:2:3", "0 MHz:1 MHz:2", "-1 MHz:1 MHz:2",
     "1 MHz:1 MHz:2", "1 MHz:2 MHz:1", "1 MHz:2 MHz:2.5", "1 MHz:2 MHz:1e3", "1 MHz:2 MHz:10001",
     "1 MHz:2 MHz:3:4", "1 MHz:2 MHz:\u0663"],
)  # fmt: skip
def test_wrong_rates(text: str) -> None:
    with pytest.raises(InputError):
        matrix.parse_rates(text)


@pytest.mark.parametrize("text", ["", "1,", ",", "1,1", "1,x", "-1", "1.5", "nan"])
def test_wrong_depths(text: str) -> None:
    with pytest.raises(InputError):
        matrix.parse_depths(text)


@pytest.mark.parametrize("text", ["", "run.events", "=1,2", "run.events=", "run events=1"])
def test_wrong_assignments(text: str) -> None:
    with pytest.raises(InputError):
        matrix.parse_assignment(text)


def test_what_makes_no_matrix_is_refused() -> None:
    many = tuple(str(number) for number in range(1, 102))
    for axes, error in (
        ((Axis("run.derandomiser", many), Axis("run.events", many)), InputError),
        ((Axis("run.events", ("1",)), Axis("run.events", ("2",))), InputError),
        ((Axis("run.evnts", ("1",)),), BenchmarkError),
        ((Axis("run.events", ("1", "nan")),), BenchmarkError),
        # The same twice, only written in another way.
        ((Axis("arrival.rate", ("1 MHz", "1000 kHz")),), InputError),
    ):
        with pytest.raises(error):
            points(plan(*axes))
    with pytest.raises(InputError, match="needs a benchmark"):
        points(plan(benchmarks=()))


def test_a_plan_survives_the_journal() -> None:
    search = Search("knee", Fraction(10**7), Fraction(4 * 10**7), 5, Fraction(30_000, 7), 3)
    wanted = plan(Axis("run.events", ("1", "2")), overrides=("run.trace=0",), search=search)
    assert Plan.from_json(json.loads(json.dumps(wanted.to_json()))) == wanted
    plain = plan(Axis("run.events", ("1", "2")))
    assert Plan.from_json(json.loads(json.dumps(plain.to_json()))) == plain
    for content in ({}, {"benchmarks": 1}, {**plain.to_json(), "axes": [{"key": "a"}]}):
        with pytest.raises(InputError):
            Plan.from_json(content)


@pytest.mark.parametrize(
    "arguments",
    [
        ("smoke/dial",),
        (),
        ("--rates", "1 MHz:2 MHz:2"),
        ("smoke/dial", "--rates", "2 MHz:1 MHz:2"),
        ("smoke/dial", "--rates", "nan:nan:2"),
        ("smoke/dial", "--rates", "100 MHz:300 MHz:3"),
        ("smoke/dial", "--depths", "1,1"),
        ("smoke/dial", "--depths", ""),
        ("smoke/dial", "--depths", ","),
        ("smoke/dial", "--depths", "0,1"),
        ("smoke/dial", "--set-sweep", "run.evnts=1,2"),
        ("smoke/dial", "--set-sweep", "run.seeds"),
        ("smoke/dial", "--rates", "1 MHz:9 MHz:999", "--depths", ",".join(map(str, range(1, 12)))),
        ("smoke/dail", "--depths", "1,2"),
        ("smoke/dial", "--benchmarks", "smoke/dial"),
        ("smoke/dial", "--benchmarks", ","),
        ("smoke/dial", "--find", "peace"),
        ("smoke/dial", "--find", "knee"),
        ("smoke/dial", "--find", "knee", "--rates", "2 MHz:2 MHz:1"),
        ("smoke/dial", "--find", "knee", "--rates", "1 MHz:2 MHz", "--resolution", "nan"),
        ("smoke/dial", "--find", "depth", "--resolution", "0"),
        ("smoke/dial", "--find", "depth", "--depths", "5"),
        ("smoke/loopback", "--find", "depth", "--depths", "5,x"),
        ("smoke/dial", "--find", "deadline", "--rates", "1 MHz:2 MHz", "--late", "-1"),
        ("smoke/dial", "--depths", "1,2", "--resume", "somewhere"),
        ("--resume", "nowhere"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    more = () if "--resume" in arguments else ("--out", str(out))
    assert main(["sweep", *arguments, *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("harness: error: ")
    assert not out.exists()


def test_a_deadline_is_needed_to_be_late(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    text = list_benchmarks()["smoke/dial"].read_text()
    endless = tmp_path / "endless.toml"
    endless.write_text(text.replace('deadline = "2 us"\n', "").replace("deadline_misses = 0\n", ""))
    arguments = ["sweep", str(endless), "--find", "deadline", "--rates", "1 MHz:2 MHz"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "no deadline" in capsys.readouterr().err


# The search


def asked(limit: Fraction | int) -> Any:
    seen: list[Fraction] = []

    def ask(places: Sequence[Fraction]) -> list[bool]:
        seen.extend(places)
        return [place <= limit for place in places]

    return ask, seen


@given(
    st.integers(0, 1000), st.integers(1, 1000), st.integers(-50, 2050), st.integers(1, 40),
    st.integers(2, 9),
)  # fmt: skip
def test_a_boundary_is_found_to_the_resolution(
    low: int, width: int, limit: int, resolution: int, steps: int
) -> None:
    ask, seen = asked(limit)
    unit = Fraction(1)
    places = matrix.grid(Fraction(low), Fraction(low + width), steps, unit)
    found = boundary(ask, places, Fraction(resolution), unit)
    assert len(seen) == len(set(seen)) == len(found.probes)
    assert len(seen) <= len(places) + 11
    assert found.violations == ()
    if limit < low:
        assert (found.last, found.first) == (None, Fraction(low))
    elif limit >= low + width:
        assert (found.last, found.first) == (Fraction(low + width), None)
    else:
        assert found.last is not None
        assert found.first is not None
        assert found.last <= limit < found.first
        assert found.first - found.last <= resolution


def test_what_is_not_monotonic_is_told() -> None:
    bad = {30, 60}

    def ask(places: Sequence[Fraction]) -> list[bool]:
        return [place not in bad and place < 80 for place in places]

    places = matrix.grid(Fraction(0), Fraction(100), 11, Fraction(1))
    found = boundary(ask, places, Fraction(1), Fraction(1))
    assert (found.last, found.first) == (Fraction(29), Fraction(30))
    assert [(int(low), int(high)) for low, high in found.violations] == [
        (30, 40), (30, 50), (60, 70),
    ]  # fmt: skip


def test_a_bracket_has_two_ends() -> None:
    for changes in ({"low": 5}, {"steps": 1}, {"resolution": 0}, {"late": -1}, {"find": "x"}):
        arguments: dict[str, Any] = {
            "find": "knee", "low": 1, "high": 5, "steps": 3, "resolution": 1, **changes,
        }  # fmt: skip
        with pytest.raises(InputError):
            Search(**arguments)


# The journal

RECORDS: list[dict[str, Any]] = [
    {"kind": "plan", "text": "a\nb \u00e9"},
    {"kind": "point", "n": 1.5},
    {"kind": "point"},
]


def test_a_torn_last_line_counts_as_not_written() -> None:
    lines = [encode(record) for record in RECORDS]
    content = b"".join(lines)
    whole = [sum(map(len, lines[:count])) for count in range(4)]
    for cut in range(len(content) + 1):
        records, end = decode(content[:cut], "here")
        count = sum(cut >= edge for edge in whole[1:])
        assert records == RECORDS[:count]
        assert end == whole[count]


@given(st.integers(0, 2**32), st.integers(1, 255))
def test_damage_before_the_end_is_reported(where: int, flip: int) -> None:
    lines = [encode(record) for record in RECORDS]
    content = bytearray(b"".join(lines))
    place = where % (len(content) - len(lines[-1]))
    content[place] ^= flip
    # Spaces in the frame are free; every other change of a byte shows.
    try:
        records, _ = decode(bytes(content), "here")
    except StorageError as error:
        assert "damaged" in str(error)
    else:
        assert records == RECORDS


def test_a_journal_goes_on_behind_a_torn_line(tmp_path: Path) -> None:
    with Journal(tmp_path, new=True) as journal:
        for record in RECORDS:
            journal.append(record)
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-3])
    with Journal(tmp_path, new=False) as journal:
        assert journal.records == RECORDS[:2]
        journal.append(RECORDS[2])
    with Journal(tmp_path, new=False) as journal:
        assert journal.records == RECORDS


def test_a_journal_is_one_sweeps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sweep"):
        Journal(tmp_path, new=False)
    with Journal(tmp_path, new=True):
        with pytest.raises(InputError, match="another sweep"):
            Journal(tmp_path, new=False)
        with pytest.raises(InputError, match="already"):
            Journal(tmp_path, new=True)


# What a person sees


def row(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "point", "digest": "0", "benchmark": "smoke/dial", "overlay": "dial",
        "values": {"arrival.rate": "10 MHz"}, "verdict": "pass", "why": "", "folder": "f",
        "clock_hz": 2e8, "rate_hz": 1e7, "achieved_hz": 1e7, "load": 0.5, "scheduled": 1000,
        "completed": 1000, "dropped": 0, "late": None, "deadline_cycles": None, "max_depth": 1,
        "depth": 4, "mean": 21.5, "p50": 20, "p99": 200, "max": 300, "theory": True, **changes,
    }  # fmt: skip


def test_the_plot_shows_every_point() -> None:
    lines = view.plot([row(load=0.2, p50=20, p99=20), row(load=1.0, p50=200, p99=2000)])
    assert lines[1].startswith("    2,000 |")
    assert lines[1].endswith("#")
    assert lines[12].startswith("       20 |#")
    assert sum(line.count("o") for line in lines[1:]) == 1  # the other lies under a #
    assert lines[-1].split() == ["0.2", "1"]
    assert view.plot([row()]) == []
    assert view.plot([row(), row(load=0.9, p50=None)]) == []
    assert view.plot([row(load=None), row(load=None, rate_hz=2e7)])[-1].split() == [
        "10", "MHz", "20", "MHz",
    ]  # fmt: skip


def test_everything_is_printed_as_plain_text() -> None:
    out = io.StringIO()
    rows = [
        row(),
        row(rate_hz=2e7, load=1, verdict="fail", p99=None),
        {**row(verdict="error", why="\x1b[31mbad", values={"run.events": "[red]3"}),
         **dict.fromkeys(("rate_hz", "load", "dropped", "late", "max_depth", "p50", "p99", "max"))},
    ]  # fmt: skip
    finding = {
        "find": "depth", "meaning": "smallest derandomiser that drops no event",
        "benchmark": "smoke/dial", "values": {}, "unit": "events", "bracket": [1, 511],
        "resolution": 1, "allowed": 0, "value": 12, "beyond": 11, "why": "",
        "violations": [[3, 5]],
    }  # fmt: skip
    view.show(rows, [finding], Path("there"), Console(file=out, width=100))
    text = out.getvalue()
    assert "\x1b" not in text
    assert "drops no event: 12 events" in text
    assert "bracket 1 event to 511 events, to 1 event" in text
    assert "NOT MONOTONIC" in text
    assert "[red]3" in text
