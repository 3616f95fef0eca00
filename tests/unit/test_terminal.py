from __future__ import annotations

import copy
import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness.measure.verdict import interrupted, judge
from harness.report import result as results
from harness.report import schema, terminal, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.fabric.samples import Kind, LatencyHistogram
    from harness.report.schema import Result
    from tests.unit.conftest import Synthetic


def shown(
    result: Result,
    histograms: Mapping[Kind, LatencyHistogram],
    folder: Path | None = None,
    *,
    width: int = 100,
    colour: bool = False,
) -> str:
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=width,
        highlight=False,
        force_terminal=colour,
        color_system="truecolor" if colour else None,
    )
    terminal.show(result, histograms, folder, console)
    return buffer.getvalue()


def test_all_numbers_of_a_sound_run_are_shown(synthetic: Synthetic) -> None:
    result, samples = synthetic.result()
    output = shown(result, samples.histograms(), Path("results/run"))
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert lines[0] == "PASS made_up on virtual (zcu104)"
    assert "simulated fabric: cycles counted by the same RTL in simulation" in output
    assert "overlay dial, digest 00112233445566778899aabbccddeeff" in lines
    assert "clock 200 MHz measured, 200 MHz set, built for 200 MHz" in lines
    assert "events 5,000 scheduled, 5,000 completed, 0 dropped, 0 in flight; 64 distinct" in lines
    assert "rate 20.0036 MHz achieved, 20.0036 MHz asked (100.00 %)" in lines
    assert "deadline 0 misses of 40 cycles, 200 ns" in lines
    assert "queue at most 0 waited, 64 may" in lines
    assert "outputs bit-exact in 5,000 beats, CRC 0x00001234" in lines
    assert "latency min mean p50 p99 p99.9 max" in lines
    assert "wait, cycles 0 0 0 0 0 0" in lines
    assert "total, cycles 26 26 26 26 26 26" in lines
    assert lines[lines.index("total, cycles 26 26 26 26 26 26") + 1] == "ns 130 130 130 130 130 130"
    assert lines[-2].startswith("26 130 ns \u2588")
    assert lines[-2].endswith(" 5,000")
    assert lines[-1] == "stored in results/run"


def spread(result: Result) -> Any:
    """Return the result with an interval of the p99 of total, and none of its p99.9."""
    changed: Any = copy.deepcopy(result)
    found = changed["latency"]["total"]["confidence"]
    found["p99"]["high"] = {"cycles": 1031, "ns": 5155}
    found["p999"] |= {"low": None, "high": None, "reason": "correlated events"}
    return changed


def test_intervals_stand_below_their_percentiles(synthetic: Synthetic) -> None:
    result, samples = synthetic.result()
    output = shown(spread(result), samples.histograms())
    rows = [line for line in output.splitlines() if "95 % interval" in line]
    assert [row.split() for row in rows] == [["95", "%", "interval", "26-1,031", "-"]]
    assert "no interval of total p99.9: correlated events" in output


def test_results_from_before_there_were_intervals_are_shown_without(synthetic: Synthetic) -> None:
    result, samples = synthetic.result()
    old: Any = copy.deepcopy(result)
    for latency in old["latency"].values():
        del latency["confidence"]
    assert schema.check(old, "result.json") == old
    assert shown(old, samples.histograms()) == shown(result, samples.histograms())


def test_a_failure_says_why_and_what_to_do(synthetic: Synthetic) -> None:
    evidence = synthetic.count(synthetic.evidence("require.bit_exact=true"), mismatches=3, crc=1)
    assert evidence.samples is not None
    result = results.build(synthetic.record(evidence))
    output = " ".join(shown(result, evidence.samples.histograms()).split())
    assert output.startswith("FAIL made_up")
    assert "fail outputs are not those of the golden model: 3 of 5000 beats differ" in output
    assert "compare the deployed model file" in output
    assert "outputs WRONG: 3 of 5,000 beats differ, CRC 0x00000001, expected 0x00001234" in output


def test_numbers_that_are_missing_are_explained_once(synthetic: Synthetic) -> None:
    result, samples = synthetic.result("run.events=300")
    output = shown(result, samples.histograms())
    assert output.count("not resolvable: 300 events, needs 2995") == 1
    assert "no wait p99.9, service p99.9, total p99.9: not resolvable" in output


def test_a_run_that_was_not_read_can_be_shown(synthetic: Synthetic) -> None:
    evidence = synthetic.evidence(samples=None, deadline_cycles=None)
    result = results.build(synthetic.record(evidence, verdict=interrupted("SIGINT")))
    output = shown(result, {})
    assert output.lstrip().startswith("INTERRUPTED")
    assert "- scheduled" in output
    assert "deadline   none" in output
    assert "not compared" in output


def test_an_invalid_run_with_overflow_can_be_shown(synthetic: Synthetic) -> None:
    samples = synthetic.samples(np.zeros(400, dtype=np.int64), 3, 400, 400, bins=512)
    evidence = synthetic.evidence("run.events=400", samples=samples)
    result = results.build(synthetic.record(evidence))
    assert judge(evidence).outcome == "invalid"
    output = shown(result, samples.histograms())
    last = output.splitlines()[-1].split()
    assert last[:3] == ["512", "or", "more"]
    assert last[-1] == str(samples.total.overflow)


def test_the_bars_count_every_event(synthetic: Synthetic) -> None:
    due = np.cumsum(np.random.default_rng(4).geometric(0.1, 4000)).astype(np.int64)
    samples = synthetic.samples(due, 9, 26, 400, bins=4096)
    result, _ = synthetic.result()
    output = shown(result, samples.histograms())
    rows = output[output.index("total latency in cycles") :].splitlines()[1:]
    assert 8 <= len(rows) <= 16
    assert sum(int(row.split()[-1].replace(",", "")) for row in rows) == 4000
    lengths = [row.count("\u2588") for row in rows]
    assert lengths[0] == max(lengths) == 36
    assert all(row.count("\u2588") for row in rows if not row.rstrip().endswith(" 0"))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(synthetic: Synthetic, width: int) -> None:
    result, samples = synthetic.result()
    for line in shown(result, samples.histograms(), width=width).splitlines():
        assert len(line) <= width


def test_an_ascii_terminal_gets_ascii(synthetic: Synthetic) -> None:
    result, samples = synthetic.result()
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    terminal.show(result, samples.histograms(), None, Console(file=file, width=100))
    file.flush()
    assert b"####" in raw.getvalue()


HOSTILE = "[red]x[/red] \x1b[2J\x1b]0;pwned\x07 a\r\nb \u202e evil [/] [link=http://x]"


def test_foreign_strings_cannot_style_or_command_the_terminal(synthetic: Synthetic) -> None:
    result: Any = synthetic.result()[0]
    samples = synthetic.evidence().samples
    assert samples is not None
    plain = shown(result, samples.histograms(), colour=True)
    result["target"] = result["time_base"] = result["verdict"] = HOSTILE
    result["overlay"] = {"name": HOSTILE, "digest": HOSTILE}
    result["benchmark"]["name"] = HOSTILE
    names = ("effect", "what", "evidence", "recommendation")
    result["reasons"] = [dict.fromkeys(names, HOSTILE)]
    result["latency"]["wait"]["reasons"] = {HOSTILE: HOSTILE}
    output = shown(result, samples.histograms(), Path(HOSTILE), colour=True, width=2000)
    for forbidden in ("\x1b[2J", "\x1b]", "\x07", "\r", "\u202e"):
        assert forbidden not in output
    assert "[red]x[/red] \\x1b[2J\\x1b]0;pwned\\x07 a\\r\\nb \\u202e evil [/]" in output
    assert "\x1b[31mx" not in output
    assert "\x1b[" in plain


@given(st.text())
def test_cleaned_text_is_printable(value: str) -> None:
    assert text.clean(value).isprintable()


def test_cleaning_leaves_ordinary_text_alone() -> None:
    assert text.clean("Zürich, 40 MHz → µs") == "Zürich, 40 MHz → µs"
    assert text.clean("\ud800") == "\\ud800"


def test_a_catalogue_is_listed() -> None:
    buffer = io.StringIO()
    console = Console(file=buffer, width=80, color_system=None)
    rows = [{"name": "smoke/loop", "summary": "[b]x[/b]\x1b[2J"}, {"name": "other"}]
    terminal.show_catalogue({"benchmarks": rows, "boards": []}, console)
    output = buffer.getvalue()
    for word in ("benchmarks", "name", "smoke/loop", "[b]x[/b]\\x1b[2J", "other", "none found"):
        assert word in output


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, "-"),
        (0, "0 Hz"),
        (999.5, "999.5 Hz"),
        (40_079_000, "40.079 MHz"),
        (1e3, "1 kHz"),
        (2.5e9, "2.5 GHz"),
    ],
)
def test_frequencies(value: float | None, wanted: str) -> None:
    assert text.hertz(value) == wanted


def test_times() -> None:
    assert text.nanoseconds(130) == "130 ns"
    assert text.nanoseconds(138.6667) == "138.7 ns"
    assert text.nanoseconds(1234567.04) == "1,234,567 ns"
    assert text.decimal(26.375) == "26.38"
    assert text.cycles_of(None) == text.ns_of(None) == "-"


def test_records_are_plain_data(synthetic: Synthetic) -> None:
    record = synthetic.record(synthetic.evidence())
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.target = "x"  # type: ignore[misc]
