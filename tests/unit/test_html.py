from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import json
import re
import shutil
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.cli import main
from harness.errors import InputError, OverlayError, StorageError
from harness.fabric.samples import Trace
from harness.measure.queueing import finite_queue, geod1_mean_wait
from harness.measure.verdict import interrupted
from harness.overlay import find_overlay, project_root
from harness.report import html, store
from harness.report import result as results
from harness.report.html import axes, deduced, depth, published, series, timeline, train
from harness.report.html.gather import gather, write
from harness.report.html.markup import Html, escape, join, tag
from harness.report.html.series import Run
from harness.report.store import Stored
from harness.report.text import clean
from harness.traffic import Schedule, tables
from harness.traffic.filling import filling
from harness.traffic.groups import Groups
from tests.unit.conftest import Synthetic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Make = Callable[..., Stored]

CLOCK_HZ = 200_000_000
VOID = {"br", "hr", "link", "meta"}
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&lt; \x1b[2J \u202e a\u0000b"


class Page(HTMLParser):
    """A page taken apart: tags in order, attributes, text by element; insists on balanced tags."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append((self.open[-1] if self.open else "", data))

    def text(self) -> str:
        return " ".join(words for name, words in self.words if name not in {"style", "script"})

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.tags if found == name]


def trace_of(due: NDArray[np.int64], ii: int, latency: int, depth_: int, most: int = 4096) -> Trace:
    departures = finite_queue(due, ii, latency, depth_)
    kept = np.flatnonzero(~departures.dropped)[:most]
    return Trace(kept, due[kept], departures.accepted[kept], departures.done[kept])


@pytest.fixture
def make(synthetic: Synthetic) -> Make:
    """Return a maker of stored runs of an ideal fabric, from when events are due."""

    def build(
        due: NDArray[np.int64] | None = None,
        *overrides: str,
        ii: int = 4,
        latency: int = 26,
        limit: int = 64,
        bins: int = 4096,
        name: str = "run",
        **changes: Any,
    ) -> Stored:
        due = np.arange(5000, dtype=np.int64) * 10 if due is None else due
        samples = synthetic.samples(due, ii, latency, limit, bins)
        samples = dataclasses.replace(samples, trace=trace_of(due, ii, latency, limit))
        evidence = synthetic.evidence(
            f"run.events={due.size}",
            *overrides,
            samples=samples,
            schedule_cycles=int(due[-1]) + 1,
            queue_limit=limit,
        )
        result: Any = results.build(synthetic.record(evidence))
        for key, value in changes.items():
            result[key] = {**result[key], **value} if isinstance(value, dict) else value
        return Stored(Path("results") / name, result, samples.histograms(), samples.trace)

    return build


def bernoulli(rate_hz: float, events: int = 5000, seed: int = 7) -> NDArray[np.int64]:
    return Schedule.bernoulli(rate_hz, CLOCK_HZ, seed, events).cycles(0, events)


def lhc(events: int = 5000, first: int = 0) -> NDArray[np.int64]:
    schedule = Schedule.lhc(40.079e6, CLOCK_HZ, "25ns_2744b_bcms", events + first)
    return schedule.cycles(first, events)


def periodic(rate_hz: float, events: int = 5000) -> NDArray[np.int64]:
    return Schedule.periodic(rate_hz, CLOCK_HZ, events).cycles(0, events)


def run_of(stored: Stored) -> Run:
    return Run(stored, deduced.deduce(stored.result, stored.trace), "run1")


# --- markup -------------------------------------------------------------------------------------


@given(st.text())
def test_text_stays_text(value: str) -> None:
    page = Page(tag("p", value, title=value, data_x=value))
    assert page.tags == [("p", {"title": clean(value), "data-x": clean(value)})]
    words = "".join(words for _, words in page.words)
    assert words == (clean(value) if clean(value).strip() else "")


def test_markup_is_not_escaped_twice() -> None:
    inner = tag("b", "a < b")
    assert tag("p", inner, None, 3) == "<p><b>a &lt; b</b>3</p>"
    assert escape(inner) is inner
    assert join(("a", inner), ", ") == "a, <b>a &lt; b</b>"
    assert tag("rect", x=1.005, y=-2.0, class_=None) == '<rect x="1" y="-2"></rect>'
    assert isinstance(inner, Html)


# --- axes ---------------------------------------------------------------------------------------

positions = st.floats(-1e6, 1e9, allow_nan=False)


@given(positions, st.floats(1e-2, 1e9), st.integers(2, 12))
def test_ticks_are_round_and_inside(low: float, span: float, most: int) -> None:
    assume(span > 1e-6 * abs(low))  # an axis of numbers that differ in their last digits
    scale = axes.Linear(low, low + span, 0, 900)
    ticks = scale.ticks(most)
    assert len(ticks) <= most + 1
    steps = np.diff(ticks)
    for tick in ticks:
        assert low - 1e-6 * span <= tick <= low + span * (1 + 1e-6)
    if steps.size:
        assert np.allclose(steps, steps[0], rtol=1e-4)
        digits = f"{steps[0]:.3e}"[0]
        assert digits in "125"


@given(st.floats(0.5, 1e3), st.floats(1.5, 1e6), st.integers(3, 9))
def test_logarithmic_ticks(low: float, ratio: float, most: int) -> None:
    scale = axes.Log(low, low * ratio, 100, 0)
    ticks = scale.ticks(most)
    assert len(ticks) <= most
    assert all(low <= tick <= low * ratio * (1 + 1e-12) for tick in ticks)
    assert scale(low / 7) == scale(low) == 100
    assert scale(low * ratio) == pytest.approx(0, abs=1e-9)


@given(st.lists(st.tuples(st.floats(70, 940), st.text("x", min_size=1, max_size=30)), max_size=8))
def test_labels_do_not_overlap(places: list[tuple[float, str]]) -> None:
    places.sort()
    found = axes.levels(places, axes.WIDTH)
    taken: dict[int, list[tuple[float, float]]] = {}
    for (x, text), (row, anchor) in zip(places, found, strict=True):
        wide = 6.4 * len(text)
        low, high = (x - wide, x) if anchor == "end" else (x, x + wide)
        assert high <= axes.WIDTH
        assert all(low >= end or high <= start for start, end in taken.get(row, []))
        taken.setdefault(row, []).append((low, high))


def test_paths() -> None:
    assert axes.path([(0, 1), (2.5, 3)]) == "M0.00 1.00L2.50 3.00"
    assert axes.staircase([0, 1, 2], [5, 6], 9) == (
        "M0.00 9.00L0.00 5.00L1.00 5.00L1.00 6.00L2.00 6.00L2.00 9.00Z"
    )


# --- what stamps tell ---------------------------------------------------------------------------


@pytest.mark.parametrize("ii", [5, 6, 7])
def test_a_filling_scheme_is_recognised(make: Make, ii: int) -> None:
    due = lhc()
    found = run_of(make(due, ii=ii, limit=6)).deduced
    assert found.process == "lhc"
    assert found.orbit is not None
    assert found.orbit.filling.name == "25ns_2744b_bcms"
    assert found.orbit.crossing_hz == pytest.approx(40.079e6, rel=1e-4)
    kept = ~finite_queue(due, ii, 26, 6).dropped
    events = np.flatnonzero(kept)[:4096]
    scheme = filling("25ns_2744b_bcms")
    assert (found.orbit.slot == scheme.slots[events % 2744]).all()
    assert (found.orbit.bunch == scheme.bunch[found.orbit.slot]).all()
    lost = np.flatnonzero(~kept)
    assert found.missing.tolist() == lost[lost < events[-1]].tolist()
    assert found.missing_due is not None
    assert np.abs(found.missing_due - due[found.missing]).max(initial=0) <= 2
    assert found.interval == deduced.Interval(ii, "trace")
    assert found.agreeing == (4096, 4096)


def test_a_trace_that_begins_late_is_recognised_as_well() -> None:
    due = lhc(3000, first=12345)
    trace = trace_of(due, 4, 26, 64)
    moved = dataclasses.replace(trace, event=trace.event + 12345)
    orbit = deduced.find_orbit(moved, CLOCK_HZ)
    assert orbit is not None
    assert (orbit.slot == filling("25ns_2744b_bcms").slots[moved.event % 2744]).all()
    off = dataclasses.replace(trace, event=trace.event + 12346)
    assert deduced.find_orbit(off, CLOCK_HZ) is None


def test_other_processes(make: Make) -> None:
    assert run_of(make(periodic(17.3e6))).deduced.process == "periodic"
    random = make(bernoulli(16e6), ii=9, seeds={"traffic": 1, "arrival": 7})
    assert run_of(random).deduced.process == "bernoulli"
    assert run_of(make(bernoulli(16e6), ii=9)).deduced.process == "unknown"
    gaps = Schedule.gaps_in_cycles((5, 5, 40), 3000).cycles(0, 3000)
    assert run_of(make(gaps)).deduced.process == "unknown"


def test_a_periodic_run_tells_when_dropped_events_were_due(make: Make) -> None:
    due = periodic(30e6)
    found = run_of(make(due, ii=10, limit=3)).deduced
    assert found.missing.size > 500
    assert found.missing_due is not None
    assert np.abs(found.missing_due - due[found.missing]).max() <= 1
    assert found.interval == deduced.Interval(10, "trace")


def test_one_wrong_stamp_shows(make: Make) -> None:
    stored = make(bernoulli(16e6), ii=9)
    assert stored.trace is not None
    assert run_of(stored).deduced.agreeing == (4096, 4096)
    accepted = stored.trace.accepted.copy()
    waiting = np.flatnonzero(accepted > stored.trace.scheduled)[100]
    accepted[waiting] += 1
    result: Any = copy.deepcopy(stored.result)
    result["theory"] = {"interval_cycles": 9, "model": "Geo/D/1/K"}
    wrong = dataclasses.replace(stored.trace, accepted=accepted)
    found = deduced.deduce(result, wrong)
    assert found.interval == deduced.Interval(9, "record")
    assert found.process == "bernoulli"
    assert found.agreeing == (4095, 4096)
    # With that stamp, waiting events were not all taken at one interval.
    assert deduced.deduce(stored.result, wrong).interval is None


def test_the_contract_holds_for_the_overlay_of_that_digest_only(make: Make) -> None:
    digest = find_overlay("jet_tagger").digest
    known = make(overlay={"name": "jet_tagger", "digest": digest}).result
    assert deduced.contract(known) == deduced.Interval(4, "contract")
    assert deduced.contract(make(overlay={"name": "jet_tagger", "digest": "0"}).result) is None
    assert deduced.contract(make(overlay={"name": "../..", "digest": digest}).result) is None


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 20))
def test_waiting_events_are_counted_cycle_by_cycle(steps: list[int], ii: int, places: int) -> None:
    due = np.cumsum(np.array(steps, dtype=np.int64))
    trace = trace_of(due, ii, 5, places)
    changes, waiting = depth.waiting(trace)
    assert (np.diff(changes) > 0).all()
    assert changes[-1] <= trace.scheduled[-1]
    for cycle in range(int(due[0]), int(trace.scheduled[-1]) + 1):
        wanted = int(((trace.scheduled <= cycle) & (trace.accepted > cycle)).sum())
        at = int(np.searchsorted(changes, cycle, side="right")) - 1
        assert waiting[at] == wanted
    assert waiting.max() <= places


def test_columns_of_a_long_trace_keep_the_maximum() -> None:
    trace = trace_of(bernoulli(18e6, 4000), 10, 20, 400)
    changes, waiting = depth.waiting(trace)
    edges, heights = depth._columns(changes, waiting)
    assert len(edges) == len(heights) + 1 == 871
    assert max(heights) == waiting.max()
    for left, right, height in zip(edges[:-1], edges[1:], heights, strict=True):
        inside = waiting[(changes >= left) & (changes < right)]
        assert height >= inside.max(initial=0)


def test_waits_by_place_in_the_train(make: Make) -> None:
    run = run_of(make(lhc(), ii=6, limit=8))
    trace, orbit = run.stored.trace, run.deduced.orbit
    assert trace is not None
    assert orbit is not None
    found = train.by_place(trace, orbit.filling.trains, run.deduced.missing)
    waits = trace.accepted - trace.scheduled
    slots = orbit.filling.slots
    assert found.taken.sum() == 4096
    assert found.dropped.sum() == run.deduced.missing.size > 0
    assert any(found.taken % 2 == 0)
    for place in range(48):
        here = np.sort(waits[orbit.bunch == place])
        lost = orbit.filling.bunch[slots[run.deduced.missing % 2744]] == place
        assert (found.taken[place], found.dropped[place]) == (here.size, lost.sum())
        assert (found.least[place], found.most[place]) == (here[0], here[-1])
        assert found.median[place] == np.quantile(here, 0.5, method="inverted_cdf")


def shots() -> NDArray[np.int64]:
    """Return sequences of 30 shots every 3 cycles, 400 cycles apart."""
    period, idle = Fraction(3), Fraction(400)
    return tables.trains(period, 30, idle, 3000, "sequence", "shot").cycles(0, 3000)


def recorded(process: str, *sizes: int) -> dict[str, Any]:
    groups = {"name": "sequence", "item": "shot", "sizes": list(sizes)} if sizes else None
    return {"process": process, "groups": groups}


def test_waits_by_place_in_a_sequence_of_shots(make: Make) -> None:
    """Shot k waits k (II - gap): Lindley, until the derandomiser is full."""
    stored = make(shots(), ii=5, limit=100, arrival=recorded("shots", 30))
    run = run_of(stored)
    assert run.deduced.process == "shots"
    assert run.deduced.groups == Groups("sequence", "shot", (30,))
    assert run.stored.trace is not None
    found = train.by_place(run.stored.trace, run.deduced.groups, run.deduced.missing)
    assert found.taken.tolist() == [100] * 30
    for column in (found.least, found.median, found.most):
        assert column.tolist() == [2 * place for place in range(30)]
    page = well_formed(html.render([stored]))
    assert "Along the sequence" in page.text()
    assert "shot of the sequence, the first being 1" in page.text()


def test_drops_are_charged_to_their_place(make: Make) -> None:
    run = run_of(make(shots(), ii=9, limit=5, arrival=recorded("shots", 30)))
    assert run.stored.trace is not None
    assert run.deduced.groups is not None
    found = train.by_place(run.stored.trace, run.deduced.groups, run.deduced.missing)
    assert not found.dropped[:8].any()
    # The ninth shot is the first to find the derandomiser full.
    assert found.dropped[8] == 100
    assert found.dropped.sum() == run.deduced.missing.size > 1000
    # What was dropped after the last traced event is not between traced ones.
    assert ((found.taken + found.dropped)[:28] == 100).all()


@pytest.mark.parametrize("sizes", [(), (0,), (3, -1), (1 << 40,)])
def test_groups_that_cannot_be_are_not_believed(make: Make, sizes: tuple[int, ...]) -> None:
    run = run_of(make(shots(), ii=5, arrival=recorded("shots", *sizes)))
    assert run.deduced.groups is None
    assert run.deduced.process == "shots"
    well_formed(html.render([run.stored]))


@pytest.mark.parametrize(
    ("process", "known"),
    [("poisson", "bernoulli"), ("continuous", "periodic"), ("frames", "frames"),
     ("spills", "spills"), ("trace", "trace"), ("gaps", "unknown"), ("new", "unknown")],
)  # fmt: skip
def test_a_recorded_process_is_taken_from_the_record(make: Make, process: str, known: str) -> None:
    assert run_of(make(shots(), ii=5, arrival=recorded(process))).deduced.process == known


def test_the_median_wait_is_that_of_an_event(make: Make) -> None:
    run = run_of(make(lhc(3990)))
    assert run.stored.trace is not None
    assert run.deduced.orbit is not None
    waits = np.random.default_rng(1).permutation(run.stored.trace.event.size)
    accepted = run.stored.trace.scheduled + waits
    trace = dataclasses.replace(run.stored.trace, accepted=accepted)
    found = train.by_place(trace, run.deduced.orbit.filling.trains, run.deduced.missing)
    assert {0, 1} == set((found.taken % 2).tolist())
    for place in range(48):
        here = waits[run.deduced.orbit.bunch == place]
        assert found.median[place] == np.quantile(here, 0.5, method="inverted_cdf")


def test_the_timeline_shows_the_worst_wait(make: Make) -> None:
    for due, ii in ((bernoulli(18e6), 10), (bernoulli(1e6), 10), (periodic(30e6), 10)):
        trace = make(due, ii=ii, limit=400).trace
        assert trace is not None
        stretch = timeline.choose(trace)
        waits = trace.accepted - trace.scheduled
        assert stretch.first <= stretch.worst < stretch.last
        assert waits[stretch.worst] == waits.max()
        assert 24 <= stretch.last - stretch.first <= 200
    short = trace_of(np.arange(3, dtype=np.int64), 4, 5, 8)
    assert timeline.choose(short) == timeline.Stretch(0, 3, 2)


# --- series and theory --------------------------------------------------------------------------


def ladder(make: Make, *rates_hz: float, **changes: Any) -> list[Run]:
    stored = [
        make(bernoulli(rate), ii=10, latency=20, limit=48, seeds={"arrival": 7}, **changes)
        for rate in rates_hz
    ]
    return [dataclasses.replace(run_of(item), name=f"r{k}") for k, item in enumerate(stored)]


def test_runs_that_differ_in_rate_form_a_series(make: Make) -> None:
    runs = ladder(make, 19e6, 4e6, 13e6, 24e6)
    (found,) = series.collect(runs)
    assert [run.name for run in found.runs] == ["r1", "r2", "r0", "r3"]
    assert found.interval == deduced.Interval(10, "trace")
    assert found.service_cycles == 20
    assert found.place(found.runs[1]) == pytest.approx(0.65, rel=0.05)
    assert series.collect(runs[:1]) == []


def test_the_knee_is_the_last_run_that_keeps_up(make: Make) -> None:
    def knee(*rates_hz: float) -> str | None:
        (found,) = series.collect(ladder(make, *rates_hz))
        run = found.knee()
        return None if run is None else run.name

    assert knee(4e6, 13e6, 16e6, 24e6, 28e6) == "r2"
    assert knee(24e6, 13e6, 4e6) == "r1"
    assert knee(4e6, 13e6) is None
    assert knee(24e6, 28e6) is None


def test_unlike_runs_do_not(make: Make) -> None:
    slow, fast = ladder(make, 4e6, 13e6)
    for change in (
        {"time_base": "fabric"},
        {"target": "other"},
        {"benchmark": {"name": "other"}},
        {"overlay": {"digest": "ff"}},
        {"queue": {"limit": 3}},
        {"clock": {"set_hz": 100e6}},
    ):
        result: Any = copy.deepcopy(fast.result)
        for key, value in change.items():
            result[key] = {**result[key], **value} if isinstance(value, dict) else value
        other = run_of(dataclasses.replace(fast.stored, result=result))
        assert series.collect([slow, other]) == []


def test_what_must_not_be_believed_is_left_out(make: Make) -> None:
    runs = ladder(make, 4e6, 13e6) + ladder(make, 16e6, verdict="invalid")
    (found,) = series.collect(runs)
    assert (len(found.runs), found.left_out) == (2, 1)


def test_theory_of_random_arrivals(make: Make) -> None:
    (found,) = series.collect(ladder(make, 4e6, 13e6, 24e6))
    mean = series.mean_total(found, 1.5)
    assert mean is not None
    assert mean.points[0] == (0.0, 20.0)
    assert mean.points[-1][0] < 1
    for load, total in mean.points[1::40]:
        assert total == pytest.approx(20 + geod1_mean_wait(load / 10, 10))
    lost = series.drop_share(found, 1.5)
    assert lost is not None
    shares = [share for _, share in lost.points]
    assert (np.diff(shares) > -1e-12).all()
    assert shares[-1] == pytest.approx(1 - 1 / 1.5, abs=1e-6)
    # Measured with 48 places: what the curve says, within what 5000 events scatter.
    last = found.runs[-1].result
    measured = (last["events"]["dropped"] or 0) / 5000
    at = next(share for load, share in lost.points if load >= found.place(found.runs[-1]))
    assert measured == pytest.approx(at, abs=0.03)


def test_theory_of_periodic_arrivals_is_exact(make: Make) -> None:
    runs = [run_of(make(periodic(rate), ii=10, limit=16)) for rate in (16e6, 25e6)]
    (found,) = series.collect(runs)
    mean, lost = series.mean_total(found, 1.3), series.drop_share(found, 1.3)
    assert mean is not None
    assert mean.points == [(0.0, 26.0), (1.0, 26.0)]
    assert lost is not None
    dropped = runs[1].result["events"]["dropped"]
    # The share is that of a long run; the queue takes its 16 events once.
    assert dropped == pytest.approx(5000 * (1 - 1 / 1.25), abs=20)
    assert dict(lost.points)[1.0] == 0.0


def test_without_an_interval_there_is_no_load(make: Make) -> None:
    runs = [run_of(make(periodic(rate), ii=4)) for rate in (16e6, 25e6)]
    (found,) = series.collect(runs)
    assert found.interval is None
    assert found.place(found.runs[0]) == pytest.approx(16e6, rel=1e-3)
    assert series.mean_total(found, 1.0) is None
    assert series.drop_share(found, 1.0) is None


# --- the page -----------------------------------------------------------------------------------


def well_formed(text: str) -> Page:
    """Return the page taken apart, after checks that hold for every page."""
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for attributes in page.named("a"):
        href = attributes["href"] or ""
        assert href.startswith("#")
        assert href[1:] in ids
    for name, attributes in page.tags:
        assert name not in {"iframe", "object", "embed", "link", "img", "base", "form"}
        assert not any(key.startswith("on") or key in {"style", "src"} for key in attributes)
        for key in ("href", "clip-path"):
            assert re.match(r"url\(#|#|$", attributes.get(key) or "")
    assert len(page.named("script")) == len(page.named("style")) == 1
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        root = ET.fromstring(drawing)  # noqa: S314
        assert root[0].tag == "title"
        assert root[1].tag == "desc"
        assert root.get("role") == "img"
        assert "nan" not in drawing.lower().replace("nanosec", "")
    return page


def test_a_page_says_everything_about_a_run(make: Make) -> None:
    page = well_formed(html.render([make(bernoulli(16e6), ii=9, seeds={"arrival": 7})]))
    told = page.text()
    for words in (
        "PASS" if "FAIL" not in told else "FAIL",
        "made_up",
        "simulated fabric: cycles counted by the same RTL in simulation; no board took part",
        "digest 00112233445566778899aabbccddeeff",
        "200 MHz measured, 200 MHz set, built for 200 MHz",
        "5,000 scheduled, 5,000 completed, 0 dropped, 0 in flight; 64 distinct",
        "at random, in each cycle with the same probability",
        "Initiation interval: 9 cycles",
        "of all 4,096 traced events",
        "Queueing theory (Geo/D/1, an endless queue)",
        "deadline",
        "longest wait",
        "at most",
        "time base: simulated fabric",
    ):
        assert words in told
    assert len(page.named("svg")) == 3
    assert "Along the orbit" not in told


def test_the_policy_admits_this_style_and_script_alone(make: Make) -> None:
    text = html.render([make()])
    policy = next(
        str(attributes["content"])
        for attributes in Page(text).named("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    for name in ("style", "script"):
        content = re.search(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
        for outside in ("http://", "https://", "@import", "fetch(", "XMLHttp", "import("):
            assert outside not in content[1].replace("http://www.w3.org/2000/svg", "")


def test_every_completed_event_is_in_the_bars(make: Make) -> None:
    for due, bins in ((bernoulli(16e6), 4096), (bernoulli(19.5e6), 4096)):
        stored = make(due, ii=10, limit=400, bins=bins)
        page = Page(html.render([stored]))
        for attributes in page.named("g"):
            if attributes.get("class") == "panel":
                counts = [int(count) for count in str(attributes["data-counts"]).split()]
                histogram = stored.histograms[attributes["data-kind"]]  # type: ignore[index]
                assert sum(counts) == histogram.count
                assert len(counts) <= 441
                first, step = int(str(attributes["data-first"])), int(str(attributes["data-step"]))
                for bar, count in enumerate(counts[:50]):
                    low = first + step * bar
                    assert count == histogram.counts[low : low + step].sum()


def test_lhc_runs_are_resolved_along_the_train(make: Make) -> None:
    told = well_formed(html.render([make(lhc(), ii=6, limit=8)])).text()
    assert "Along the train" in told
    assert "Along the orbit" in told
    assert "share of events that were dropped" in told
    assert "25ns_2744b_bcms at 40.079 MHz crossings" in told
    assert "within a train" in told


def test_a_queue_that_was_never_used_is_a_sentence(make: Make) -> None:
    told = well_formed(html.render([make(lhc(), ii=4)])).text()
    assert (
        "None of the 4,096 traced events waited, and none was dropped: whatever its place" in told
    )
    assert "no event of the trace waited" in told


def test_several_runs_are_compared(make: Make) -> None:
    stored = [
        make(bernoulli(rate), ii=10, latency=20, limit=48, seeds={"arrival": 7}, name=f"r{rate}")
        for rate in (4e6, 13e6, 19e6, 24e6)
    ]
    text = html.render(stored)
    page = well_formed(text)
    told = page.text()
    assert "4 runs of made_up" in told
    assert "Load 1 is one event every 10 cycles: the initiation interval, from the traces" in told
    assert "the last run at which at most 1 % of the events pile up or are dropped" in told
    assert "theory: Geo/D/1, mean" in told
    assert "Geo/D/1/49 loses" in told
    sortable = [table for table in page.named("table") if "sortable" in str(table.get("class"))]
    assert len(sortable) == 1
    assert html.render(stored) == text


def test_time_bases_share_neither_table_nor_chart(make: Make) -> None:
    stored = [
        make(periodic(rate), ii=10, time_base=base, target=f"target-{base.replace(' ', '-')}")
        for base in ("simulated fabric", "fabric", "host", "sundial")
        for rate in (10e6, 15e6)
    ]
    text = html.render(stored)
    well_formed(text)
    parts = text.split('<div class="base-part">')[1:]
    assert len(parts) == 4
    order = ["fabric", "simulated fabric", "host", "sundial"]
    for part, base in zip(parts, order, strict=True):
        assert f"target-{base.replace(' ', '-')}" in part
        for other in order:
            if other != base:
                assert f"target-{other.replace(' ', '-')}" not in part
        assert part.count('class="runs sortable"') == 1
    assert "They are kept apart" in text
    assert "sundial: unknown" in text


def test_a_run_that_was_not_read_says_so(make: Make, synthetic: Synthetic) -> None:
    evidence = synthetic.evidence(samples=None, deadline_cycles=None)
    result = results.build(synthetic.record(evidence, verdict=interrupted("SIGINT")))
    told = well_formed(html.render([Stored(Path("x"), result, {}, None)])).text()
    for words in (
        "INTERRUPTED",
        "must not be believed",
        "The run did not finish: SIGINT.",
        "No distribution of latencies: the fabric was not read.",
        "No timeline: the fabric was not read.",
        "the fabric was not read.",
        "not compared",
    ):
        assert words in told


def test_missing_percentiles_and_overflow_are_explained(make: Make) -> None:
    few = make(bernoulli(16e6, 250), ii=9)
    told = well_formed(html.render([few])).text()
    assert "No wait p99, service p99, total p99: not resolvable: 250 events, needs 299." in told
    crowd = make(np.zeros(400, dtype=np.int64), ii=3, latency=400, limit=400, bins=512)
    told = well_formed(html.render([crowd])).text()
    assert "events of 512 cycles or more, up to 1,597" in told
    assert "in the overflow bin" in told


def test_an_empty_or_tiny_trace_is_no_trouble(make: Make) -> None:
    stored = make()
    none = np.zeros(0, dtype=np.int64)
    empty = dataclasses.replace(stored, trace=Trace(none, none, none, none))
    assert "No timeline: the trace is empty" in well_formed(html.render([empty])).text()
    for events in (1, 2, 3):
        tiny = make(np.arange(events, dtype=np.int64) * 3, ii=4)
        well_formed(html.render([tiny]))


def test_all_events_dropped_or_none_completed(make: Make) -> None:
    result: Any = copy.deepcopy(make().result)
    result["events"] = {**result["events"], "scheduled": 0, "completed": 0}
    for kind in ("wait", "service", "total"):
        for name in ("min", "max", "mean", "p50", "p99", "p999"):
            result["latency"][kind][name] = None
    told = well_formed(html.render([Stored(Path("x"), result, {}, None)])).text()
    assert "cannot be stated" in told


def poisoned(value: object) -> Any:
    """Return a result with every string replaced by one that would like to be markup."""
    if isinstance(value, dict):
        return {key: poisoned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


def test_no_string_of_a_result_becomes_markup(make: Make) -> None:
    stored = make(periodic(30e6), "require.drops=0", ii=10, limit=3)
    result: Any = poisoned(stored.result)
    result["latency"]["wait"]["reasons"] = {HOSTILE: HOSTILE}
    result["seeds"] = {HOSTILE: 1}
    result["facts"]["target"] = {"board": HOSTILE, "part": HOSTILE, "events_sha256": HOSTILE}
    result["facts"]["versions"] = {HOSTILE: HOSTILE}
    result["facts"]["host"] = {"cpu": HOSTILE, "platform": [HOSTILE]}
    result["facts"]["git"] = {"commit": HOSTILE, "dirty": HOSTILE}
    result["facts"]["started_utc"] = HOSTILE
    runs = [dataclasses.replace(stored, folder=Path(HOSTILE.replace("/", "_")), result=result)]
    other: Any = copy.deepcopy(result)
    other["rate"]["target_hz"] *= 0.5
    runs.append(dataclasses.replace(runs[0], result=other))
    text = html.render(runs, {Path("bad<b>"): HOSTILE})
    page = well_formed(text)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert clean(HOSTILE) in page.text()
    assert not any(key == "onerror" for _, attributes in page.tags for key in attributes)
    classes = {str(attributes.get("class")) for attributes in page.named("span")}
    assert "badge invalid" in classes


def test_strange_facts_do_not_break_the_page(make: Make) -> None:
    for facts in ({}, {"target": "x", "host": 3, "git": None, "versions": [1], "started_utc": 5}):
        result: Any = {**make().result, "facts": facts}
        well_formed(html.render([Stored(Path("x"), result, {}, None)] * 2))


def test_a_page_stays_small(make: Make) -> None:
    assert len(html.render([make(bernoulli(16e6), ii=9)])) < 300_000


# --- published figures --------------------------------------------------------------------------


def test_the_published_figures_of_the_jet_tagger() -> None:
    found = published.find("jet_tagger")
    assert found is not None
    by_name = {figure.system: figure for figure in found.figure}
    first = by_name["hls4ml, Duarte et al. 2018"]
    assert first.basis == "implementation"
    assert first.latency_ns == 75
    assert first.clock_mhz == 200
    assert by_name["hls4ml + QKeras, Fahim et al. 2021"].latency_ns == 45
    for figure in found.figure:
        assert figure.source
        assert figure.comparable
        if figure.latency_cycles and figure.latency_ns and figure.clock_mhz:
            # Within the rounding of what was published.
            wanted = Fraction(figure.latency_cycles * 1000) / Fraction(figure.clock_mhz)
            assert abs(wanted - Fraction(figure.latency_ns)) < Fraction(1, 10)
    assert published.find("loopback") is None
    assert published.find("../../etc") is None


def test_published_figures_stand_beside_measured_ones(make: Make) -> None:
    stored = make(lhc(), overlay={"name": "jet_tagger"})
    told = well_formed(html.render([stored])).text()
    for words in (
        "Beside published figures",
        "Measured here (simulated fabric)",
        "hls4ml + QKeras, Fahim et al. 2021",
        "synthesis/place-and-route only, never timed on a board in the source",
        "its latency beside our service",
    ):
        assert words in told
    doubtful = make(lhc(), overlay={"name": "jet_tagger"}, verdict="invalid")
    assert "Beside published figures" not in html.render([doubtful])


def test_published_figures_are_no_part_of_the_design(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(project_root() / "overlays", tmp_path / "overlays")
    monkeypatch.setenv("HARNESS_ROOT", str(tmp_path))
    with_file = find_overlay("jet_tagger").digest
    (tmp_path / "overlays/jet_tagger/published.toml").unlink()
    assert find_overlay("jet_tagger").digest == with_file
    with (tmp_path / "overlays/jet_tagger/model.json").open("a") as model:
        model.write("\n")
    assert find_overlay("jet_tagger").digest != with_file


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('schema = 2\ntask = "x"\nfigure = []', "schema 1"),
        ('schema = 1\ntask = "x"\nfigures = []', "figures"),
        ('schema = 1\ntask = "x"\n[[figure]]\nsystem = ""', "figure"),
        (
            'schema = 1\ntask = "x"\n[[figure]]\nsystem="a"\nbasis="guess"\nsource="b"\n'
            'comparable="c"',
            "basis",
        ),
        (
            'schema = 1\ntask = "x"\n[[figure]]\nsystem="a"\nbasis="board"\nsource="b"\n'
            'comparable="c"\nlatency_ns=-3',
            "latency_ns",
        ),
    ],
)
def test_a_wrong_file_of_figures_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "published.toml"
    path.write_text(text)
    with pytest.raises(OverlayError, match=told):
        published.load(path)


# --- from folders to files ----------------------------------------------------------------------


def stored_in(folder: Path, synthetic: Synthetic, count: int = 1) -> list[Path]:
    store.prepare(folder)
    result, samples = synthetic.result()
    return [store.write(folder, result, samples) for _ in range(count)]


def test_runs_are_gathered_once(tmp_path: Path, synthetic: Synthetic) -> None:
    folders = stored_in(tmp_path, synthetic, 3)
    runs, unreadable = gather([folders[1], tmp_path, folders[1]])
    assert sorted(run.folder.name for run in runs) == sorted(path.name for path in folders)
    assert runs[0].folder == folders[1]
    assert unreadable == {}


def test_a_damaged_run_is_named_but_hides_no_other(tmp_path: Path, synthetic: Synthetic) -> None:
    good, bad = stored_in(tmp_path, synthetic, 2)
    (bad / "result.json").write_text("{}")
    runs, unreadable = gather([tmp_path])
    assert [run.folder for run in runs] == [good]
    assert list(unreadable) == [bad]
    assert "is not what was written" in unreadable[bad]
    assert "is not what was written" in html.render(runs, unreadable)
    with pytest.raises(StorageError):
        gather([bad])


def numbers_of(content: Any, path: str, value: object) -> Any:
    head, _, rest = path.partition(".")
    return {**content, head: numbers_of(content[head], rest, value) if rest else value}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("clock.measured_hz", 0),
        ("clock.measured_hz", -1e8),
        ("clock.set_hz", 1e999),
        ("rate.target_hz", 0),
        ("rate.target_hz", 10**400),
        ("latency.total.p99", {"cycles": -1, "ns": -5}),
        ("events.scheduled", -4),
    ],
)
def test_numbers_that_cannot_be_are_refused(
    tmp_path: Path, synthetic: Synthetic, path: str, value: object
) -> None:
    result, samples = synthetic.result()
    store.prepare(tmp_path)
    text = json.dumps(numbers_of(result, path, value))
    folder = store.write(tmp_path, result, samples)
    (folder / "result.json").write_text(text)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["result.json"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StorageError, match="cannot be"):
        gather([folder])


stamps = st.integers(0, 300)


@given(st.lists(st.tuples(stamps, stamps, stamps, stamps), min_size=1, max_size=40))
@example([(0, 4, 0, 0)])
@example([(1, 0, 0, 0), *[(0, 0, 0, 0)] * 7, (1, 0, 0, 0)])
@settings(max_examples=60, deadline=None)
def test_stamps_that_contradict_themselves_are_drawn_all_the_same(
    rows: list[tuple[int, int, int, int]],
) -> None:
    """An invalid run is shown to find out what is wrong with it."""
    result = results.build(Synthetic().record(Synthetic().evidence()))
    trace = Trace(*np.array(rows, dtype=np.int64).T)
    well_formed(html.render([Stored(Path("x"), result, {}, trace)]))


def test_a_trace_with_enormous_numbers_takes_no_enormous_memory(make: Make) -> None:
    stored = make()
    assert stored.trace is not None
    event = stored.trace.event.copy()
    event[-1] = 2**40
    trace = dataclasses.replace(stored.trace, event=event)
    well_formed(html.render([dataclasses.replace(stored, trace=trace)]))


def test_nothing_to_report_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError):
            gather([path])


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write(path, "new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(StorageError, match="report cannot be written"):
        write(tmp_path / "none" / "report.html", "x")


def test_the_command_writes_what_is_asked_for(
    tmp_path: Path,
    synthetic: Synthetic,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder,) = stored_in(tmp_path / "results", synthetic)
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == "report.html\n"
    well_formed((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert main(["report", "results", "--markdown", "summary.md"]) == 0
    assert capsys.readouterr().out == "summary.md\n"
    assert (tmp_path / "summary.md").read_text().startswith("**1 run: 1 pass**")
    assert main(["report", "results", "-o", "other.html", "--markdown", "summary.md"]) == 0
    assert (tmp_path / "other.html").read_bytes() == (tmp_path / "report.html").read_bytes()
    assert main(["report", "nowhere"]) == 2
    assert "nowhere: is no folder" in capsys.readouterr().err


def test_the_command_draws_figures(tmp_path: Path, synthetic: Synthetic) -> None:
    pytest.importorskip("matplotlib")
    (folder,) = stored_in(tmp_path / "results", synthetic)
    assert main(["report", str(folder), "--plots", str(tmp_path / "figures")]) == 0
    assert not (tmp_path / "report.html").exists()
    found = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert found == [f"{folder.name}.png", f"{folder.name}.svg"]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_and_lines_stand_out_in_light_and_dark_and_on_paper() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    style = (Path(html.__file__).parents[1] / "assets" / "report.css").read_text()
    palettes = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})[0-9a-f]*;", block))
        for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    ]
    assert len(palettes) == 3
    for palette in palettes:
        paper = palette["paper"]
        for name in ("ink", "soft", "link", "bad", "good", "warn", "theory", "knee"):
            assert contrast(palette[name], paper) >= 4.5, (name, palette)
        # WCAG asks for 3 of what is no text.
        for name in ("wait", "service", "total"):
            assert contrast(palette[name], paper) >= 3, (name, palette)
        if "warn-back" in palette:
            assert contrast(palette["warn"], palette["warn-back"]) >= 4.5
    for back, ink in re.findall(r"\.badge\.[^{]*\{ background: (#\w+);(?: color: (#\w+);)?", style):
        assert contrast(back, ink or "#ffffff") >= 4.5


def test_chart_data_is_json(make: Make) -> None:
    page = Page(html.render([make(bernoulli(16e6), ii=9)]))
    for attributes in page.named("svg"):
        data = json.loads(str(attributes["data-chart"]))
        assert data["x0"] < data["x1"]
        assert data["lo"] < data["hi"]
        assert data["ns"] == 5.0
