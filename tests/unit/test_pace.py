"""Queues of events that each take their own time, and how long a spiking network takes."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.accelerators import parse_model
from harness.accelerators.pace import Pace, pace_of
from harness.errors import InputError
from harness.measure.prediction import Timing, model_of, predict
from harness.measure.queueing import deepest, finite_queue, serve
from harness.traffic import Schedule

GAPS = st.lists(st.integers(0, 9), max_size=80)
TIMES = st.lists(st.tuples(st.integers(1, 14), st.integers(1, 30)), min_size=1, max_size=7)
FORM = {"width": 1, "integer": 1, "signed": False}


class Listed:
    """A server whose times stand in a list: service and latency of each event, in turns."""

    def __init__(self, times: list[tuple[int, int]]) -> None:
        self.times, self.ready = times, 0

    def take(self, number: int, due: int) -> tuple[int, int]:
        service, latency = self.times[number % len(self.times)]
        accepted = max(self.ready, due)
        self.ready = accepted + service
        return accepted, accepted + latency


def stepped(
    due: list[int], times: list[tuple[int, int]], depth: int
) -> tuple[list[tuple[int, int] | None], int]:
    """Step through cycles: arrive, accept, drop what is too much, then look who waits."""
    lives: list[tuple[int, int] | None] = [None] * len(due)
    waiting: deque[int] = deque()
    arrivals = deque(enumerate(due))
    free = cycle = most = 0
    while arrivals or waiting:
        while True:
            newcomer = bool(arrivals) and arrivals[0][1] == cycle
            if newcomer:
                waiting.append(arrivals.popleft()[0])
            if waiting and cycle >= free:
                event = waiting.popleft()
                service, latency = times[event % len(times)]
                lives[event], free = (cycle, cycle + latency), cycle + service
            if newcomer and len(waiting) > depth:
                waiting.pop()
            if not (arrivals and arrivals[0][1] == cycle):
                break
        most = max(most, len(waiting))
        cycle += 1
    return lives, most


@given(GAPS, TIMES, st.integers(0, 6))
def test_the_queue_is_the_one_stepped_cycle_by_cycle(
    gaps: list[int], times: list[tuple[int, int]], depth: int
) -> None:
    due = np.cumsum(gaps, dtype=np.int64)
    found = serve(due, Listed(times), depth)
    lives, most = stepped(due.tolist(), times, depth)
    assert found.dropped.tolist() == [life is None for life in lives]
    assert found.accepted.tolist() == [-1 if life is None else life[0] for life in lives]
    assert found.done.tolist() == [-1 if life is None else life[1] for life in lives]
    kept = ~found.dropped
    assert deepest(due[kept], found.accepted[kept]) == most


@given(GAPS, st.integers(1, 12), st.integers(0, 40), st.integers(0, 6))
def test_equal_services_are_the_queue_of_constant_service(
    gaps: list[int], interval: int, latency: int, depth: int
) -> None:
    due = np.cumsum(gaps, dtype=np.int64)
    found = serve(due, Listed([(interval, latency)]), depth)
    wanted = finite_queue(due, interval, latency, depth)
    assert found.accepted.tolist() == wanted.accepted.tolist()
    assert found.done.tolist() == wanted.done.tolist()


@given(GAPS, TIMES, st.integers(1, 6))
def test_nothing_is_lost_or_made(gaps: list[int], times: list[tuple[int, int]], depth: int) -> None:
    """Every event is dropped or served once, in order, and the server never idles before work."""
    due = np.cumsum(gaps, dtype=np.int64)
    found = serve(due, Listed(times), depth)
    kept = np.flatnonzero(~found.dropped)
    assert kept.size + found.dropped.sum() == due.size
    free = 0
    for event in kept.tolist():
        assert found.accepted[event] == max(free, due[event])
        free = int(found.accepted[event]) + times[event % len(times)][0]
    assert deepest(due[kept], found.accepted[kept]) <= depth


def test_a_queue_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="negative depth"):
        serve(np.zeros(1, dtype=np.int64), Listed([(1, 1)]), -1)
    with pytest.raises(InputError, match="never decrease"):
        serve(np.array([2, 1], dtype=np.int64), Listed([(1, 1)]), 1)


# Spiking networks


def layer(rng: random.Random, inputs: int, outputs: int, **changed: Any) -> dict[str, Any]:
    return {
        "kind": "lif",
        "inputs": inputs,
        "outputs": outputs,
        "parallel": rng.randint(1, 3),
        "weight_bits": 5,
        "weights": [[rng.randint(-8, 15) for _ in range(inputs)] for _ in range(outputs)],
        "thresholds": [rng.randint(4, 20) for _ in range(outputs)],
        "leak": 2,
        "reset": "subtract",
        "potential_bits": 9,
        "output": "spikes",
    } | changed


def network(seed: int, steps: int, **last: Any) -> tuple[Pace, NDArray[Any], Any]:
    """Return a network of two layers, eight events of it, and its model."""
    rng = random.Random(seed)
    content = {
        "schema": 2,
        "name": "toy",
        "input": {"values": 8 * steps, "lanes": 8, "format": FORM},
        "layers": [layer(rng, 8, 7), layer(rng, 7, 3, output="counts", **last)],
        "output": {"kind": "values"},
    }
    model = parse_model(content)
    raw = np.random.default_rng(seed).integers(0, 2, (8, 8 * steps))
    pace, why = pace_of(model, raw, 8, 32)
    assert pace is not None, why
    return pace, raw, model


def test_a_lone_event_takes_its_steps_and_the_pipelines() -> None:
    """Steps so far apart that no layer waits: each in turn, register, two layers, nothing else."""
    pace, raw, model = network(1, 1)
    first, second = model.layers
    spikes = first.steps_cycles(raw) + second.steps_cycles(first.apply(raw))
    for number in range(8):
        accepted, done = pace.take(number, 1000 * number)
        assert accepted == 1000 * number
        assert done - accepted == 1 + int(spikes[number, 0]) + 3 + 3


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 99), st.integers(1, 6), st.lists(st.integers(1, 60), max_size=60))
def test_what_is_remembered_changes_nothing(seed: int, steps: int, gaps: list[int]) -> None:
    """A pace that has met every state before answers as one that meets it first."""
    due = np.cumsum(gaps, dtype=np.int64)
    pace, _, _ = network(seed, steps, margin=1)
    first = serve(due, pace, 3)
    pace.restart()
    again = serve(due, pace, 3)
    assert again.done.tolist() == first.done.tolist()
    # Nor does when a run begins.
    pace.restart()
    assert (
        serve(due + 12345, pace, 3).accepted[~first.dropped].tolist()
        == (first.accepted[~first.dropped] + 12345).tolist()
    )


def test_an_early_answer_is_earlier_or_a_cycle_later() -> None:
    whole, _, _ = network(3, 12)
    early, _, _ = network(3, 12, margin=1)
    lives = [(whole.take(n, 900 * n)[1], early.take(n, 900 * n)[1]) for n in range(8)]
    # A lead is looked for in one more cycle, also if nobody ever leads.
    assert all(later <= sooner + 1 for sooner, later in lives)
    assert min(later - sooner for sooner, later in lives) < -10


def test_a_layer_alone_is_free_sooner_too() -> None:
    rng = random.Random(5)
    raw = np.ones((1, 80), dtype=np.int64)
    ready = []
    for margin in ({}, {"margin": 1}):
        only = layer(rng, 8, 2, output="counts", parallel=1, **margin)
        only["weights"], only["thresholds"] = [[9] * 8, [-9] * 8], [1, 1]
        source = {"values": 80, "lanes": 8, "format": FORM}
        content = {"schema": 2, "name": "toy", "input": source, "layers": [only]}
        pace, why = pace_of(parse_model({**content, "output": {"kind": "values"}}), raw, 8, 32)
        assert pace is not None, why
        pace.take(0, 0)
        ready.append(pace.ready)
    assert ready == [1 + 8 * 9, 1 + 8 * 2 + 7]


@pytest.mark.parametrize(
    ("in_bits", "changed", "says"),
    [(16, {}, "beats of the stream"), (8, {"output": "spikes"}, "results take several beats")],
)
def test_a_network_that_is_not_followed_says_why(
    in_bits: int, changed: dict[str, Any], says: str
) -> None:
    rng = random.Random(5)
    only = layer(rng, 8, 32, output="counts") | changed
    source = {"values": 32, "lanes": 8, "format": FORM}
    content = {"schema": 2, "name": "toy", "input": source, "layers": [only]}
    model = parse_model({**content, "output": {"kind": "values"}})
    pace, why = pace_of(
        model, np.zeros((1, 32), dtype=np.int64), in_bits, 1024 if not changed else 8
    )
    assert pace is None
    assert says in why


def test_a_prediction_names_its_queue_and_is_bounded() -> None:
    pace, _, _ = network(2, 4)
    schedule = Schedule.periodic(20_000_000, 200_000_000, 500_000)
    found = predict(schedule, pace, 4, 60)
    assert (found.timing, found.whole, found.events) == (None, False, 200_000)
    assert found.dropped > 0
    assert found.max_depth == 4
    assert (
        predict(schedule, pace, 4, 60, 900).total.tolist()
        == found.total[: 900 - int(found.departures.dropped[:900].sum())].tolist()
    )
    assert predict(schedule, Timing(3, 9), 4, None).events == 500_000
    gaps = Schedule.gaps_in_cycles([3], 9)
    random_times = Schedule.bernoulli(1_000_000, 200_000_000, 1, 9)
    names = [model_of(each, paced=True) for each in (schedule, gaps, random_times)]
    assert names == ["D/G/1/K", "G/G/1/K", "Geo/G/1/K"]
