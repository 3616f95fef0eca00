from __future__ import annotations

import dataclasses
import itertools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.fabric.samples import KINDS, LatencyHistogram, Trace
from harness.measure.compare import ASPECTS, Rules, compare, unlike
from harness.measure.findings import Comparison, Quantity
from harness.measure.rank_test import holm, mann_whitney, runs_needed, smallest_p
from harness.measure.replicates import compare_replicates
from harness.measure.summary import (
    Counts,
    Distribution,
    Identity,
    Run,
    Summary,
    TraceMark,
    distribution,
    mark,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

# Ranks

small = st.lists(st.integers(0, 4).map(float), min_size=1, max_size=5)


def every_deal(before: Sequence[float], after: Sequence[float]) -> Iterator[tuple[Fraction, bool]]:
    """U of every way to deal the values into two groups, and whether it is the given one."""
    values = [*before, *after]
    given_one = tuple(range(len(before), len(values)))
    for chosen in itertools.combinations(range(len(values)), len(after)):
        others = [values[i] for i in range(len(values)) if i not in chosen]
        pairs = itertools.product((values[i] for i in chosen), others)
        yield Fraction(sum((x > y) * 2 + (x == y) for x, y in pairs), 2), chosen == given_one


def by_counting(before: Sequence[float], after: Sequence[float]) -> Fraction:
    """Two-sided p of the statistic U: twice the smaller tail."""
    deals = [u for u, _ in every_deal(before, after)]
    observed = next(u for u, dealt in every_deal(before, after) if dealt)
    tail = min(sum(u <= observed for u in deals), sum(u >= observed for u in deals))
    return min(Fraction(1), Fraction(2 * tail, len(deals)))


@given(small, small)
def test_p_is_that_of_all_ways_to_deal_the_values(before: list[float], after: list[float]) -> None:
    found = mann_whitney(before, after)
    assert found.exact
    assert found.p == float(by_counting(before, after))
    larger = sum((y > x) + (y == x) / 2 for x in before for y in after)
    assert found.a12 == pytest.approx(larger / (len(before) * len(after)), abs=1e-15)


@given(small, small)
def test_exchanging_the_groups_mirrors_the_test(before: list[float], after: list[float]) -> None:
    found, mirrored = mann_whitney(before, after), mann_whitney(after, before)
    assert found.p == mirrored.p
    assert found.a12 == pytest.approx(1 - mirrored.a12)


def test_known_values_of_the_rank_test() -> None:
    apart = mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])
    assert (apart.p, apart.a12) == (2 / 252, 1.0)
    # Lehmann's table: n = m = 5, U = 2 has the tail 4/252.
    assert mann_whitney([1, 2, 3, 4, 7], [5, 6, 8, 9, 10]).p == 8 / 252


@pytest.mark.parametrize("size", [1, 5, 50, 51, 500])
def test_values_that_all_tie_tell_nothing(size: int) -> None:
    found = mann_whitney([26.0] * size, [26.0] * size)
    assert (found.p, found.a12) == (1.0, 0.5)


# The fewer the levels, the coarser the steps of U, for which the correction assumes 1.
@pytest.mark.parametrize(("levels", "error"), [(3, 0.06), (10, 0.01), (1000, 0.001)])
def test_the_approximation_meets_the_exact_test_where_it_takes_over(
    levels: int, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    exact, approximate = [], []
    for shift in np.linspace(0, levels / 2, 12):
        before = rng.integers(0, levels, 50).astype(float).tolist()
        after = (rng.integers(0, levels, 50) + shift).round().tolist()
        exact.append(mann_whitney(before, after).p)
        with monkeypatch.context() as patch:
            patch.setattr("harness.measure.rank_test.MOST_EXACT", 0)
            found = mann_whitney(before, after)
            assert not found.exact
            approximate.append(found.p)
    assert min(exact) < 1e-3 < max(exact)
    np.testing.assert_allclose(approximate, exact, atol=error)


@given(small, small)
def test_the_approximation_has_the_mean_and_variance_of_all_deals(
    before: list[float], after: list[float]
) -> None:
    deals = [u for u, _ in every_deal(before, after)]
    observed = next(u for u, dealt in every_deal(before, after) if dealt)
    mean = sum(deals) / len(deals)
    variance = sum((u - mean) ** 2 for u in deals) / len(deals)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.measure.rank_test.MOST_EXACT", 0)
        p = mann_whitney(before, after).p
    if variance == 0:
        assert p == 1.0
    else:
        distance = max(0.0, abs(float(observed - mean)) - 0.5)
        assert p == pytest.approx(math.erfc(distance / math.sqrt(2 * variance)), rel=1e-12)


def test_scipy_says_the_same() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(6)
    for size, digits in ((4, 9), (9, 9), (40, 9), (60, 9), (60, 0)):
        before, after = rng.normal(size=size), rng.normal(0.3, 1, size=size + 1)
        # Whole numbers tie.
        before, after = before.round(digits), after.round(digits)
        method = "exact" if size <= 40 else "asymptotic"
        wanted = stats.mannwhitneyu(after, before, method=method)
        found = mann_whitney(before.tolist(), after.tolist())
        assert found.p == pytest.approx(wanted.pvalue, rel=1e-9)
        assert found.a12 == pytest.approx(wanted.statistic / (size * (size + 1)))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_has_no_rank_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match="finite"):
        mann_whitney([1.0, bad], [1.0])
    with pytest.raises(InputError, match="1 and 0 values"):
        mann_whitney([1.0], [])


def test_how_many_runs_a_small_p_takes() -> None:
    assert smallest_p(5, 5) == mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10]).p
    assert smallest_p(1, 1) == 1.0
    assert [runs_needed(alpha) for alpha in (1.0, 0.05, 0.002, 0.002 / 11)] == [1, 4, 7, 8]


def test_holm_adjusts_p_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


# Runs on hardware

IDENTITY = Identity("bench", "b" * 64, "dial", "0" * 32, "zcu104", "fabric", 200e6)
COUNTS = Counts(1000, 1000, 0, 0, 0, 3, 0, None, 1000, 0x1234, True, "e" * 64)


def spread(p50: float, p99: float, mean: float, count: int = 1000) -> Distribution:
    return Distribution(
        sha256="0" * 64,
        count=count,
        overflow=0,
        sum=round(mean * count),
        min=1,
        max=10_000,
        p50=round(p50),
        p99=round(p99),
        p999=None,
        reasons={"p999": "not resolvable: 1000 events, needs 2995"},
    )


STILL = spread(26, 26, 26)


def replicate(name: str, total: Distribution = STILL, **changes: Any) -> Summary:
    summary = Summary(name, None, "pass", IDENTITY, COUNTS, spread(0, 0, 0), STILL, total, None)
    return dataclasses.replace(summary, **changes)


def events(rng: np.random.Generator, trials: int, runs: int, size: int = 400) -> NDArray[Any]:
    """Latencies in cycles, [trials, runs, events]: a floor, a tail, and the mood of each run."""
    mood = rng.normal(1, 0.004, (trials, runs, 1))
    return (200 + rng.gamma(2, 40, (trials, runs, size))) * mood


def statistics_of(latencies: NDArray[Any]) -> NDArray[Any]:
    """p50, p99 and mean of each run, [..., runs, 3]."""
    size = latencies.shape[-1]
    ordered = np.sort(latencies, axis=-1)
    ranks = [math.ceil(0.5 * size) - 1, math.ceil(0.99 * size) - 1]
    return np.concatenate([ordered[..., ranks], latencies.mean(axis=-1, keepdims=True)], axis=-1)


def group(name: str, rows: NDArray[Any]) -> list[Summary]:
    return [replicate(f"{name}{i}", spread(*row)) for i, row in enumerate(rows)]


def found(quantities: Iterable[Quantity]) -> dict[str, str]:
    """Findings by name, those without a difference left out."""
    return {q.name: q.finding for q in quantities if q.finding != "no difference"}


def judge(before: NDArray[Any], after: NDArray[Any], **options: Any) -> dict[str, str]:
    rows = [statistics_of(side) for side in (before, after)]
    return found(compare_replicates(group("a", rows[0]), group("b", rows[1]), **options))


def test_the_rate_of_false_alarms_is_below_alpha() -> None:
    trials, alpha = 1000, 0.05
    rows = statistics_of(events(np.random.default_rng(11), trials, 16))
    alarms = single = strict = 0
    for trial in rows:
        before, after = group("a", trial[:8]), group("b", trial[8:])
        quantities = compare_replicates(before, after, alpha=alpha, threshold=0)
        alarm = bool(found(quantities))
        alarms += alarm
        p = next(q.numbers["p"] for q in quantities if q.name == "total.p50")
        assert isinstance(p, float)
        single += p <= alpha
        # What is found by the stricter defaults is found by these as well.
        strict += alarm and bool(found(compare_replicates(before, after)))
    # Three standard deviations of the binomial above its mean.
    limit = trials * alpha + 3 * math.sqrt(trials * alpha * (1 - alpha))
    assert 0 < alarms <= limit
    # A single test is not merely silent either: it alarms about as often as it may.
    assert 0.5 * trials * alpha <= single <= limit
    assert strict <= 9  # of a mean of at most 2


EFFECTS: dict[str, tuple[Any, set[str]]] = {
    # What is done to the latencies, and which quantities must show it.
    "five percent": (lambda x: x * 1.05, {"total.p50", "total.mean"}),
    "a late percentile": (
        lambda x: np.where(np.arange(x.shape[-1]) % 40 == 0, x + 900, x),
        {"total.p99", "total.mean"},
    ),
    "spread within runs": (
        lambda x: np.maximum(x + 0.6 * (x - np.median(x, axis=-1, keepdims=True)), 1),
        {"total.p99"},
    ),
}


@pytest.mark.parametrize("effect", EFFECTS)
def test_an_effect_that_matters_is_found(effect: str) -> None:
    change, wanted = EFFECTS[effect]
    pairs = events(np.random.default_rng(12), 40, 20)
    hits = 0
    for trial in pairs:
        seen = judge(trial[:10], change(trial[10:]))
        assert set(seen.values()) <= {"regression"}
        hits += wanted <= set(seen)
        if effect != "five percent":
            assert "total.p50" not in seen
    assert hits >= 38


def test_one_cycle_more_is_found_where_cycles_are_few() -> None:
    before = [replicate(f"a{i}", STILL) for i in range(8)]
    after = [replicate(f"b{i}", spread(27, 27, 27)) for i in range(8)]
    seen = compare_replicates(before, after)
    assert found(seen) == dict.fromkeys(("total.p50", "total.p99", "total.mean"), "regression")
    (p50,) = [q for q in seen if q.name == "total.p50"]
    assert p50.numbers["a12"] == 1.0
    assert p50.numbers["p"] == smallest_p(8, 8)
    assert p50.numbers["p_is_exact"] is True
    assert p50.text.startswith("median 26 -> 27 cycles (+3.85%), p 0.00016 ")
    assert set(found(compare_replicates(after, before)).values()) == {"improvement"}
    assert found(compare_replicates(before, after, threshold=0.05)) == {}


def test_a_shift_too_small_to_matter_is_no_regression_however_sure() -> None:
    before = [replicate(f"a{i}", spread(1000, 1000, 1000)) for i in range(20)]
    after = [replicate(f"b{i}", spread(1009, 1009, 1009)) for i in range(20)]
    quantities = compare_replicates(before, after)
    assert found(quantities) == {}
    p50 = next(q for q in quantities if q.name == "total.p50")
    assert p50.numbers["p"] < 1e-9  # type: ignore[operator]


def test_runs_that_vary_more_but_not_higher_are_no_regression() -> None:
    rng = np.random.default_rng(14)
    alarms = 0
    for _ in range(300):
        before, after = (
            [replicate(f"{n}{i}", spread(200, p99, 200)) for i, p99 in enumerate(values)]
            for n, values in (("a", rng.normal(900, 5, 10)), ("b", rng.normal(900, 50, 10)))
        )
        alarms += bool(found(compare_replicates(before, after)))
    assert alarms <= 6


@pytest.mark.parametrize("side", [0, 1])
def test_a_single_outlier_is_no_alarm(side: int) -> None:
    for seed in range(20):
        sides = np.split(events(np.random.default_rng(seed), 1, 20)[0], 2)
        sides[side][3] *= 20
        assert judge(sides[0], sides[1]) == {}


def test_equal_runs_are_not_different() -> None:
    before, after = ([replicate(f"{n}{i}") for i in range(8)] for n in "ab")
    quantities = compare_replicates(before, after)
    assert found(quantities) == {}
    assert [q.name for q in quantities] == [
        *(f"{kind}.{name}" for kind in KINDS for name in ("p50", "p99", "mean")),
        "dropped",
        "deadline_misses",
        "bit_exact",
    ]
    assert {q.numbers["p"] for q in quantities if "p" in q.numbers} == {1.0}


def test_a_number_that_a_run_lacks_is_not_made_up() -> None:
    before, after = ([replicate(f"{n}{i}") for i in range(9)] for n in "ab")
    lacking = dataclasses.replace(STILL, p99=None, reasons={"p99": "in the overflow bin"})
    after[4] = replicate("b4", lacking)
    quantities = compare_replicates(before, after)
    assert found(quantities) == {"total.p99": "cannot tell"}
    (p99,) = [q for q in quantities if q.finding == "cannot tell"]
    assert p99.text == "run b4: in the overflow bin"
    assert (p99.numbers["runs_before"], p99.numbers["runs_after"]) == (9, 8)
    # A regression elsewhere is not hidden by it.
    worse = [replicate(r.run, dataclasses.replace(r.total, p50=30)) for r in after]
    assert found(compare_replicates(before, worse))["total.p50"] == "regression"


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((4, 20), "4 and 20 runs, at least 5 each are needed; repeat it until each side has 8"),
        ((20, 1), "20 and 1 runs, at least 5 each"),
        (
            (5, 5),
            "cannot differ with p below 0.0079, and 11 quantities at alpha 0.002 need 0.00018",
        ),
        ((7, 7), "repeat it until each side has 8"),
    ],
)
def test_too_few_runs_are_not_judged(sizes: tuple[int, int], words: str) -> None:
    before, after = (
        [replicate(f"{n}{i}") for i in range(size)] for n, size in zip("ab", sizes, strict=True)
    )
    quantities = compare_replicates(before, after)
    ranked = [q for q in quantities if q.name != "bit_exact"]
    assert {q.finding for q in ranked} == {"cannot tell"}
    assert words in ranked[0].text


def test_five_runs_will_do_for_a_laxer_alpha() -> None:
    before = [replicate(f"a{i}") for i in range(5)]
    after = [replicate(f"b{i}", spread(30, 30, 30)) for i in range(5)]
    assert "total.p50" in found(compare_replicates(before, after, alpha=0.1))


def test_drops_misses_and_wrong_outputs_are_regressions() -> None:
    before = [replicate(f"a{i}") for i in range(8)]
    worse = dataclasses.replace(COUNTS, dropped=2, deadline_misses=1)
    after = [replicate(f"b{i}", counts=worse) for i in range(8)]
    assert found(compare_replicates(before, after)) == {
        "dropped": "regression",
        "deadline_misses": "regression",
    }
    wrong = dataclasses.replace(COUNTS, bit_exact=False)
    few = compare_replicates(before[:1], [replicate("b", counts=wrong)])
    assert found(few)["bit_exact"] == "regression"
    unknown = dataclasses.replace(COUNTS, bit_exact=None, deadline_misses=None)
    blind = compare_replicates(before, [replicate(f"b{i}", counts=unknown) for i in range(8)])
    assert found(blind) == {"deadline_misses": "cannot tell", "bit_exact": "cannot tell"}


def test_where_nothing_was_compared_or_due_nothing_is_said_about_it() -> None:
    bare = dataclasses.replace(COUNTS, bit_exact=None, deadline_misses=None)
    sides = [[replicate(f"{n}{i}", counts=bare) for i in range(8)] for n in "ab"]
    names = [q.name for q in compare_replicates(*sides)]
    assert "bit_exact" not in names
    assert "deadline_misses" not in names


def as_runs(summaries: Iterable[Summary]) -> list[Run]:
    return [Run(summary, {}) for summary in summaries]


def test_clocks_that_may_differ_are_compared_in_time() -> None:
    slow = dataclasses.replace(IDENTITY, clock_hz=100e6)
    before = as_runs(replicate(f"a{i}") for i in range(8))
    after = as_runs(replicate(f"b{i}", identity=slow) for i in range(8))
    (comparison,) = compare([before, after], Rules(frozenset({"clock"})))
    total = next(q for q in comparison.quantities if q.name == "total.p50")
    assert total.finding == "regression"
    assert total.text.startswith("median 130 -> 260 ns (+100.00%)")
    assert total.numbers["median_after_ns"] == 260


def test_each_further_group_is_compared_with_the_first() -> None:
    groups = [as_runs(replicate(f"{n}{i}") for i in range(8)) for n in "abc"]
    both = compare(groups)
    assert [each.after[0] for each in both] == ["b0", "c0"]
    assert {each.before[0] for each in both} == {"a0"}
    assert {each.mode for each in both} == {"statistical"}
    with pytest.raises(InputError, match="a run is there twice"):
        compare([groups[0], [*groups[1], groups[0][3]]])
    with pytest.raises(InputError, match="there is one group"):
        compare(groups[:1])


# Simulated runs

SIMULATED = dataclasses.replace(IDENTITY, time_base="simulated fabric")


def bins(counts: dict[int, int], size: int = 64, overflow: int = 0) -> LatencyHistogram:
    filled = np.zeros(size, dtype=np.int64)
    for cycles, count in counts.items():
        filled[cycles] = count
    return LatencyHistogram(
        counts=filled,
        overflow=overflow,
        count=int(filled.sum()) + overflow,
        minimum=min(counts),
        maximum=size + 5 if overflow else max(counts),
        total=sum(cycles * count for cycles, count in counts.items()) + overflow * (size + 5),
    )


def pieces(trace: Trace, cuts: Sequence[int]) -> list[Trace]:
    edges = [0, *sorted(cuts), trace.event.size]
    return [
        Trace(*(getattr(trace, f.name)[a:b] for f in dataclasses.fields(Trace)))
        for a, b in itertools.pairwise(edges)
    ]


def stamps(size: int = 100, **changes: tuple[int, int]) -> Trace:
    """A trace; a change names a column and gives row and value."""
    columns = {
        "event": np.arange(size),
        "scheduled": np.arange(size) * 10,
        "accepted": np.arange(size) * 10 + 1,
        "done": np.arange(size) * 10 + 27,
    }
    for name, (row, value) in changes.items():
        columns[name][row] = value
    return Trace(**{name: column.astype(np.int64) for name, column in columns.items()})


TOTAL = {20: 500, 21: 300, 40: 200}


def simulated(
    name: str,
    total: LatencyHistogram | None = None,
    trace: Trace | None = None,
    cuts: Sequence[int] = (),
    **changes: Any,
) -> Run:
    histograms = {"wait": bins({0: 1000}), "service": bins({20: 1000})}
    histograms["total"] = total or bins(TOTAL)
    kept = trace or stamps()
    wait, service, whole = (distribution(histograms[kind]) for kind in KINDS)
    summary = Summary(name, None, "pass", SIMULATED, COUNTS, wait, service, whole, mark([kept]))
    found: Any = histograms
    return Run(dataclasses.replace(summary, **changes), found, lambda: pieces(kept, cuts))


def changes(before: Run, after: Run) -> dict[str, Quantity]:
    (comparison,) = compare([[before], [after]])
    assert comparison.mode == "exact"
    changed = {q.name: q for q in comparison.quantities if q.finding == "changed"}
    assert comparison.finding == ("changed" if changed else "same")
    assert len(comparison.quantities) == 3 + len(dataclasses.fields(Counts)) + 2
    return changed


def test_the_same_run_twice_is_the_same() -> None:
    assert changes(simulated("a"), simulated("b", cuts=(3, 50))) == {}


def test_one_event_in_another_bin_is_a_change() -> None:
    moved = bins({**TOTAL, 20: 499, 21: 301})
    (total,) = changes(simulated("a"), simulated("b", moved)).values()
    assert total.name == "total.histogram"
    assert (total.numbers["bins_differ"], total.numbers["events_moved"]) == (2, 1)
    assert total.numbers["mean_shift_cycles"] == 0.001
    assert (total.numbers["p50_shift_cycles"], total.numbers["max_shift_cycles"]) == (1, 0)
    assert total.text == "2 bins differ, 1 event moved or came; mean 24.3 -> 24.301 (+0.001), " \
        "p50 20 -> 21 (+1) cycles"  # fmt: skip


def test_an_event_that_overflows_by_another_amount_is_a_change() -> None:
    before, after = bins(TOTAL, overflow=3), bins(TOTAL, overflow=3)
    after = dataclasses.replace(after, total=after.total + 7, maximum=71)
    (total,) = changes(simulated("a", before), simulated("b", after)).values()
    assert total.numbers["bins_differ"] == 0
    assert total.numbers["max_shift_cycles"] == 2
    more = bins({**TOTAL, 20: 497}, overflow=6)
    (total,) = changes(simulated("a", before), simulated("b", more)).values()
    assert (total.numbers["bins_differ"], total.numbers["events_moved"]) == (2, 3)


def test_the_hash_covers_all_that_a_histogram_says() -> None:
    base = bins({20: 5, 21: 5, 22: 5, 23: 5})
    assert distribution(base).sha256 == distribution(bins({23: 5, 22: 5, 21: 5, 20: 5})).sha256
    others = [
        bins({20: 6, 21: 4, 22: 4, 23: 6}),  # the same bins, number of events and sum
        bins({20: 5, 21: 5, 22: 5, 23: 5}, size=65),
        *(
            dataclasses.replace(base, **{name: 1})  # type: ignore[arg-type]
            for name in ("overflow", "count", "minimum", "maximum", "total")
        ),
    ]
    assert len({distribution(each).sha256 for each in (base, *others)}) == 8


def test_bins_of_another_number_are_compared_nonetheless() -> None:
    (total,) = changes(simulated("a"), simulated("b", bins(TOTAL, size=128))).values()
    assert total.text == "0 bins differ; no statistic moved"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("scheduled", 1001, "1,000 -> 1,001 (+1)"),
        ("output_crc", 0x1235, "0x00001234 -> 0x00001235"),
        ("bit_exact", False, "True -> False"),
        ("first_mismatch", 7, "none -> 7"),
        ("deadline_misses", None, "0 -> none"),
        ("max_depth", 2, "3 -> 2 (-1)"),
        ("events_sha256", "f", f"{'e' * 64} -> f"),
    ],
)
def test_every_counter_counts(name: str, value: Any, text: str) -> None:
    counts = dataclasses.replace(COUNTS, **{name: value})
    (quantity,) = changes(simulated("a"), simulated("b", counts=counts)).values()
    assert (quantity.name, quantity.text) == (name, text)


def test_another_verdict_is_a_change() -> None:
    assert list(changes(simulated("a"), simulated("b", verdict="fail"))) == ["verdict"]


@given(st.lists(st.integers(0, 100), max_size=6), st.lists(st.integers(0, 100), max_size=6))
def test_the_first_event_that_differs_is_named_however_the_trace_is_cut(
    cuts: list[int], others: list[int]
) -> None:
    late = stamps(done=(70, 999), accepted=(71, 720))
    quantity = changes(simulated("a", cuts=cuts), simulated("b", trace=late, cuts=others))["trace"]
    assert quantity.numbers["first_event"] == 70
    assert quantity.numbers["events_differ"] == 2
    assert quantity.text == "first differs in event 70: done 727 -> 999 cycles; 2 events differ"


@pytest.mark.parametrize(
    ("before", "after", "first", "differ", "words"),
    [
        (stamps(100), stamps(90), 90, 10, "event 90 is missing after"),
        (stamps(90), stamps(100), 90, 10, "event 90 is missing before"),
        (stamps(100), stamps(100, event=(5, 6)), 5, 1, "event 5 is missing after"),
        (stamps(100, event=(5, 6)), stamps(100), 5, 1, "event 5 is missing before"),
    ],
)
def test_events_that_one_trace_lacks_are_named(
    before: Trace, after: Trace, first: int, differ: int, words: str
) -> None:
    runs = simulated("a", trace=before, cuts=(7,)), simulated("b", trace=after, cuts=(50,))
    quantity = changes(*runs)["trace"]
    assert (quantity.numbers["first_event"], quantity.numbers["events_differ"]) == (first, differ)
    assert words in quantity.text


@given(st.lists(st.integers(0, 100), max_size=8))
def test_the_mark_of_a_trace_does_not_depend_on_its_pieces(cuts: list[int]) -> None:
    assert mark(pieces(stamps(), cuts)) == mark([stamps()])
    assert mark(pieces(stamps(scheduled=(99, 0)), cuts)).sha256 != mark([stamps()]).sha256
    assert mark([]).events == 0


def test_a_summary_alone_tells_what_changed_but_not_where() -> None:
    kept = dataclasses.replace(simulated("a"), histograms={}, stamps=None)
    assert changes(kept, simulated("b")) == {}
    worse = simulated("b", bins({**TOTAL, 63: 1}), stamps(done=(1, 50)))
    seen = changes(kept, worse)
    assert seen["total.histogram"].numbers["bins_differ"] is None
    assert seen["total.histogram"].text.startswith("bins differ; ")
    assert "max 40 -> 63 (+23)" in seen["total.histogram"].text
    assert seen["trace"].text == "its stamps differ"
    untraced = dataclasses.replace(worse.summary, trace=None)
    assert "trace" in changes(kept, Run(untraced, {}))


def test_all_simulated_runs_are_compared_with_the_first() -> None:
    runs = [simulated(name) for name in "abc"]
    found = compare([runs])
    assert [(each.before, each.after) for each in found] == [(("a",), ("b",)), (("a",), ("c",))]
    with pytest.raises(InputError, match="nothing to compare it with"):
        compare([[runs[0]]])
    with pytest.raises(InputError, match="nothing to compare"):
        compare([])
    with pytest.raises(InputError, match="nothing to compare"):
        compare([runs, []])


# What is not compared

OTHERS: dict[str, dict[str, Any]] = {
    "benchmark": {"benchmark_digest": "c" * 64},
    "overlay": {"overlay_digest": "1" * 32},
    "clock": {"clock_hz": 200e6 * 1.0011},
    "time-base": {"time_base": "fabric"},
    "board": {"board": "kv260"},
}


@pytest.mark.parametrize("aspect", ASPECTS)
def test_unlike_runs_are_refused_unless_that_is_allowed(aspect: str) -> None:
    other = dataclasses.replace(SIMULATED, **OTHERS[aspect])
    assert list(unlike(SIMULATED, other)) == [aspect]
    runs = [[simulated("a")], [simulated("b", identity=other)]]
    allow = [name for name in ASPECTS if name != aspect]
    with pytest.raises(InputError, match=f"a and b: the runs are not alike; .*--allow {aspect}$"):
        compare(runs, Rules(frozenset(allow)))
    (comparison,) = compare(runs, Rules(frozenset({aspect})))
    assert comparison.finding == "same"
    assert len(comparison.allowed) == 1


def test_a_clock_is_alike_within_a_thousandth() -> None:
    near = dataclasses.replace(SIMULATED, clock_hz=200e6 * 1.0009)
    assert unlike(SIMULATED, near) == {}
    assert changes(simulated("a"), simulated("b", identity=near)) == {}


def test_all_differences_are_told_at_once() -> None:
    other = dataclasses.replace(SIMULATED, board=None, overlay="x", overlay_digest="2" * 32)
    with pytest.raises(InputError) as caught:
        compare([[simulated("a")], [simulated("b", identity=other)]])
    assert caught.value.exit_code == 2
    assert (
        caught.value.why == "overlays dial 000000000000 and x 222222222222; boards zcu104 and None"
    )


@pytest.mark.parametrize("verdict", ["invalid", "interrupted"])
def test_runs_that_must_not_be_believed_are_not_compared(verdict: str) -> None:
    for position in (0, 1):
        runs = [simulated("a"), simulated("b")]
        bad = dataclasses.replace(runs[position].summary, verdict=verdict)
        runs[position] = dataclasses.replace(runs[position], summary=bad)
        with pytest.raises(InputError, match=f"a run that is {verdict} cannot be compared"):
            compare([[runs[0]], [runs[1]]])
    assert "verdict" not in changes(simulated("a", verdict="fail"), simulated("b", verdict="fail"))


def test_a_run_on_a_board_is_compared_exactly_with_its_simulation() -> None:
    board = simulated("b", identity=IDENTITY)
    (comparison,) = compare([[simulated("a")], [board]], Rules(frozenset({"time-base"})))
    assert (comparison.mode, comparison.finding) == ("exact", "same")


@pytest.mark.parametrize(
    "wrong", [{"alpha": 0.0}, {"alpha": 1.0}, {"threshold": -0.1}, {"threshold": math.nan}]
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Rules(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("clock_hz", [0.0, -1.0, math.nan, math.inf])
def test_a_clock_that_is_none_is_refused(clock_hz: float) -> None:
    with pytest.raises(InputError, match="is no clock"):
        dataclasses.replace(IDENTITY, clock_hz=clock_hz)


def test_the_gravest_finding_names_the_comparison() -> None:
    def of(*findings: Any) -> str:
        quantities = tuple(Quantity(str(i), f, "", {}) for i, f in enumerate(findings))
        return Comparison("exact", IDENTITY, ("a",), ("b",), (), quantities).finding

    assert of("same", "changed") == "changed"
    assert of("cannot tell", "regression", "no difference") == "regression"
    assert of("improvement", "cannot tell") == "cannot tell"
    assert of("no difference", "improvement") == "improvement"
    assert TraceMark(0, "") == TraceMark(0, "")
