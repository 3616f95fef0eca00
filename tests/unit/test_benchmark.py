from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import benchmark, tomlfile
from harness.benchmark import Benchmark, find, list_benchmarks, load, override
from harness.errors import BenchmarkError, InputError
from harness.quantity import Span, parse_frequency, parse_span

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = """\
schema = 1
name = "jets_at_lhc"
summary = "Jets at the LHC's bunch structure"
overlay = "jet_tagger"

[traffic]
source = "jets"

[arrival]
process = "lhc"
rate = "40.079 MHz"
filling = "25ns_2744b_bcms"

[run]
events = 1_000_000
deadline = "1 us"

[accelerator]
INITIATION_INTERVAL = 5

[require]
drops = 0
bit_exact = true
total_p99 = "300 ns"
min_rate_ratio = 0.99
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jets.toml"
    path.write_text(TEXT)
    return path


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(BenchmarkError) as caught:
        load(path, overrides)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 500
    return text


def test_a_file_says_what_it_says(path: Path) -> None:
    found = load(path)
    assert found.arrival.rate_hz == 40_079_000
    assert found.arrival.filling == "25ns_2744b_bcms"
    assert found.run.events == 1_000_000
    assert found.run.deadline == Span(Fraction(1, 10**6), "s")
    assert found.accelerator == {"INITIATION_INTERVAL": 5}
    assert found.require.min_rate_ratio == Decimal("0.99")
    assert list(found.require.latencies()) == [("total_p99", Span(Fraction(3, 10**7), "s"))]


def test_defaults_are_the_documented_ones(path: Path) -> None:
    found = load(path)
    assert (found.board, found.traffic.distinct, found.traffic.seed) == ("zcu104", 4096, 1)
    assert (found.run.clock_hz, found.run.derandomiser) == (None, 64)
    assert (found.run.trace, found.run.trace_start) == (4096, 0)
    assert found.require.deadline_misses is None


@pytest.mark.parametrize(
    ("assignment", "key", "word"),
    [
        ("run.evnts=4", "run.evnts", "'events'"),
        ("runn.events=4", "runn", "'run'"),
        ("run.zzz=4", "run.zzz", "known: clock, "),
        ("arrival.process=lch", "arrival.process", "'lhc'"),
        ("arrival.rate=40", "arrival.rate", '"200 MHz"'),
        ("arrival.rate=40 Mhz", "arrival.rate", "MHz"),
        ("arrival.rate=nan MHz", "arrival.rate", "nan"),
        ("arrival.rate=inf MHz", "arrival.rate", "inf"),
        ("arrival.rate=-1 MHz", "arrival.rate", "positive"),
        ("arrival.rate=0 MHz", "arrival.rate", "range"),
        ("arrival.rate=1e400 MHz", "arrival.rate", "range"),
        ("arrival.rate=9223372036854775808 Hz", "arrival.rate", "range"),
        ("arrival.rate=1 us", "arrival.rate", "unit"),
        ("run.events=0", "run.events", "1 to 4294967295"),
        ("run.events=-1", "run.events", "1 to 4294967295"),
        ("run.events=4294967296", "run.events", "1 to 4294967295"),
        ("run.events=9223372036854775808", "run.events", "1 to 4294967295"),
        ("run.events=1e400", "run.events", "whole"),
        ("run.events=nan", "run.events", "whole"),
        ("run.events=inf", "run.events", "whole"),
        ("run.events=1.0", "run.events", "whole"),
        ("run.events=true", "run.events", "whole"),
        ("run.events=[1]", "run.events", "whole"),
        ("run.events='9'", "run.events", "whole"),
        ("run.events=" + "9" * 5000, "run.events", ""),
        ("run.derandomiser=0", "run.derandomiser", "1 to"),
        ("run.deadline=100", "run.deadline", "unit"),
        ("run.deadline=1.5 cycles", "run.deadline", "whole"),
        ("run.deadline=0 ns", "run.deadline", "range"),
        ("run.deadline=1 MHz", "run.deadline", "unit"),
        ("run.clock=40 MHz", "arrival.rate", "more than one event"),
        ("traffic.distinct=0", "traffic.distinct", "1 to"),
        ("traffic.source=../x", "traffic.source", "name"),
        ("traffic=4", "traffic", "table"),
        ("overlay=4", "overlay", "string"),
        ("overlay=", "", "TOML"),
        ("name=Jets", "name", "lower-case"),
        ("accelerator.X=-1", "accelerator.X", "0 to 4294967295"),
        ("accelerator.X=1.5", "accelerator.X", "whole"),
        ("arrival.gaps_cycles=[1]", "arrival.gaps_cycles", "process 'lhc'"),
        ("arrival.seed=1", "arrival.seed", "process 'lhc'"),
        ("arrival.process=periodic", "arrival.filling", "remove"),
        ("arrival.process=gaps", "arrival.rate", "remove"),
        ("require.min_rate_ratio=0", "require.min_rate_ratio", "above 0"),
        ("require.min_rate_ratio=1.01", "require.min_rate_ratio", "at most 1"),
        ("require.min_rate_ratio=nan", "require.min_rate_ratio", "NaN"),
        ("require.min_rate_ratio=1e999999999", "require.min_rate_ratio", "at most 1"),
        ("require.min_rate_ratio=0.9 MHz", "require.min_rate_ratio", "number"),
        ("require.drops=-1", "require.drops", "0 to"),
        ("require.total_p9=1 ns", "require.total_p9", "'total_p99'"),
        ("schema=2", "schema", "update the harness"),
        ("schema=0", "schema", "schema = 1"),
        ("schema=true", "schema", "whole"),
    ],
)
def test_what_is_wrong_is_named(path: Path, assignment: str, key: str, word: str) -> None:
    text = refusal(path, assignment)
    if key:
        assert text.startswith(f"{path}: {key}: ")
    assert word in text


def test_a_missing_key_is_named(path: Path) -> None:
    path.write_text(TEXT.replace("events = 1_000_000\n", ""))
    assert refusal(path).startswith(f"{path}: run.events: is missing")


def test_a_misspelt_key_is_not_called_missing(path: Path) -> None:
    path.write_text(TEXT.replace("events = ", "evnts = "))
    assert refusal(path) == f"{path}: run.evnts: is not a known key; did you mean 'events'?"


def test_an_arrival_process_names_what_it_needs(path: Path) -> None:
    path.write_text(TEXT.replace('filling = "25ns_2744b_bcms"', ""))
    assert 'such as filling = "25ns_2744b_bcms"' in refusal(path)


def test_deadline_misses_need_a_deadline(path: Path) -> None:
    path.write_text(TEXT.replace('deadline = "1 us"\n', ""))
    assert "require.deadline_misses" in refusal(path, "require.deadline_misses=0")


def test_a_week_is_enough(path: Path) -> None:
    assert "week" in refusal(path, "arrival.rate=1 Hz")
    load(path, ["arrival.rate=10 Hz"])


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is missing"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "byte order mark"),
        (TEXT.encode("utf-16"), "byte order mark"),
        (TEXT.encode().replace(b"Jets at", b"J\xe9ts"), "0xe9"),
        (TEXT.encode() + b"[run]\n", "twice"),
        (TEXT.encode() + b"drops = 1\n", "twice"),
        (TEXT.replace('"jets"', "jets").encode(), "source = jets"),
        (b"#" * (1 << 20) + b"\n", "1 MiB"),
        (b"\x00\x01\x02", "TOML"),
        (b"x = " + b"[" * 100_000, "TOML"),
    ],
)
def test_broken_files_are_refused(path: Path, content: bytes, word: str) -> None:
    path.write_bytes(content)
    text = refusal(path)
    assert text.startswith(str(path))
    assert word in text


def test_tabs_and_crlf_are_no_error(path: Path) -> None:
    unix = load(path)
    path.write_bytes(TEXT.replace("\n", "\r\n").replace(" = ", "\t=\t").encode())
    assert load(path) == unix


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "none.toml")
    assert "cannot be read" in refusal(tmp_path)


def test_overrides_leave_the_content_alone(path: Path) -> None:
    content = tomlfile.read(path, BenchmarkError)
    before = repr(content)
    changed = override(content, "run.events = 7")
    assert changed["run"]["events"] == 7
    assert repr(content) == before
    assert override(changed, "board=kv260")["board"] == "kv260"
    assert override(changed, "arrival.gaps_cycles=[1, 2]")["arrival"]["gaps_cycles"] == [1, 2]
    assert override({}, "a.b.c='x=y'") == {"a": {"b": {"c": "x=y"}}}
    assert override({}, "run.clock=250 MHz") == {"run": {"clock": "250 MHz"}}


@pytest.mark.parametrize(
    "assignment",
    ["", "=", "run.events", "run.=4", ".run=4", "a b=4", "a=[1", "a='x", "name.x=1", "a=1\nb=2"],
)
def test_bad_overrides_are_refused(assignment: str) -> None:
    with pytest.raises(BenchmarkError, match="--set"):
        override({"name": "x"}, assignment)


def test_later_overrides_win(path: Path) -> None:
    assert load(path, ["run.events=5", "run.events=6"]).run.events == 6


@pytest.mark.parametrize(
    "assignment",
    [
        "run.events=999999",
        "run.derandomiser=65",
        "board=kv260",
        "arrival.rate=40.080 MHz",
        "require.drops=1",
        "accelerator.INITIATION_INTERVAL=6",
        "accelerator.OTHER=5",
        "traffic.seed=2",
        "run.deadline=200 cycles",
        "require.min_rate_ratio=0.990001",
    ],
)
def test_the_digest_tells_benchmarks_apart(path: Path, assignment: str) -> None:
    assert load(path).digest != load(path, [assignment]).digest


def test_the_digest_ignores_spelling_and_prose(path: Path) -> None:
    same = [
        "summary='Other words'",
        "arrival.rate=40079 kHz",
        "arrival.rate=40.0790e6 Hz",
        "run.deadline=1000 ns",
        "run.trace=4096",
        "require.min_rate_ratio=0.990",
    ]
    assert {load(path, [item]).digest for item in same} == {load(path).digest}
    assert len(load(path).digest) == 64


def test_all_shipped_benchmarks_are_sound() -> None:
    shipped = list_benchmarks()
    assert shipped
    names = [load(path).name for path in shipped.values()]
    assert len({name.lower() for name in names}) == len(names)
    assert all(find(name) == path for name, path in shipped.items())


def test_unknown_benchmarks_get_a_hint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(benchmark, "project_root", lambda: tmp_path)
    with pytest.raises(BenchmarkError, match="none came"):
        find("smoke/loopback")
    (tmp_path / "benchmarks/smoke").mkdir(parents=True)
    (tmp_path / "benchmarks/smoke/loopback.toml").touch()
    with pytest.raises(BenchmarkError, match="did you mean 'smoke/loopback'"):
        find("smoke/lopback")
    assert find("some/where.toml") == Path("some/where.toml")


# Quantities


@given(st.integers(1, 10**11 - 1), st.integers(0, 9))
def test_frequencies_are_exact(number: int, places: int) -> None:
    text = f"{number // 10**places}.{number % 10**places:0{places}}" if places else str(number)
    value = Fraction(number, 10**places)
    for unit, factor in {"Hz": 1, "kHz": 10**3, "MHz": 10**6, "GHz": 10**9}.items():
        if Fraction(1, 1000) <= value * factor <= 10**11:
            assert parse_frequency(f"{text} {unit}") == value * factor
        else:
            with pytest.raises(InputError):
                parse_frequency(f"{text} {unit}")


@given(st.text(max_size=20) | st.integers() | st.floats() | st.none() | st.binary())
def test_nothing_but_a_quantity_is_one(value: Any) -> None:
    assert is_refused(parse_frequency, value) or value.strip()[0].isdigit()
    assert is_refused(parse_span, value) or value.strip()[0].isdigit()


def is_refused(parse: Callable[[object], object], value: object) -> bool:
    try:
        parse(value)
    except InputError as error:
        assert str(error)
        return True
    return False


@pytest.mark.parametrize(("unit", "power"), [("s", 0), ("ms", -3), ("us", -6), ("ns", -9)])
def test_times_are_exact(unit: str, power: int) -> None:
    assert parse_span(f"1.1 {unit}") == Span(Fraction(11, 10) * Fraction(10) ** power, "s")


def test_a_deadline_is_rounded_down() -> None:
    # 187.5 MHz, what a board gave when 200 MHz was asked: 1 us is 187.5 cycles.
    assert parse_span("1 us").whole_cycles(Fraction(187_500_000)) == 187
    assert parse_span("1us").whole_cycles(Fraction(200_000_000)) == 200
    assert parse_span("200 cycles").whole_cycles(Fraction(1)) == 200


_KEYS = st.sampled_from(
    ["schema", "name", "run", "arrival", "require", "traffic", "accelerator", "events", "x"]
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.decimals()
_TREES = st.dictionaries(
    _KEYS, st.recursive(_LEAVES, lambda t: st.lists(t) | st.dictionaries(_KEYS, t), max_leaves=8)
)


@given(_TREES)
def test_any_content_is_a_benchmark_or_one_error(content: dict[str, Any]) -> None:
    try:
        assert isinstance(benchmark.build(content, "x.toml"), Benchmark)
    except BenchmarkError as error:
        assert str(error).startswith("x.toml")
