"""Weights as they lie in memory, and what fetching them takes at the least."""

from __future__ import annotations

import csv
import json
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.accelerators import Model, load_model, parse_model
from harness.accelerators.streamed import Streamed
from harness.errors import InputError, OverlayError
from harness.generate.streaming import streaming_package
from harness.manifest import MemoryPort
from harness.memories import MEMORIES, bound, find_memory, memory_of_board
from harness.overlay import find_overlay, project_root

PORT = MemoryPort(data_bits=512, lanes=64)


def tagger() -> Model:
    path = find_overlay("weight_streaming").model_path
    assert path is not None
    return load_model(path)


@lru_cache
def laid() -> Streamed:
    return Streamed(tagger(), 64, 64)


def test_it_is_the_network_of_the_jet_tagger() -> None:
    """Otherwise a comparison of the two would be one of two networks."""
    contents = []
    for name in ("jet_tagger", "weight_streaming"):
        path = find_overlay(name).model_path
        assert path is not None
        content = json.loads(path.read_text())
        assert content.pop("name") == name
        contents.append(content)
    assert contents[0] == contents[1]


def test_the_layout_is_the_one_the_manifest_speaks_of() -> None:
    found = laid()
    assert found.layer_rows == (16, 32, 16, 4)
    assert (found.rows, found.row_bits, found.image_bytes, found.beats) == (68, 384, 3264, 51)
    assert (found.group_rows, found.group_beats) == (4, 3)
    parameters = sum(layer.weights.size for layer in found.layers)
    assert found.image_bytes == -(-parameters * 6 // 8) + 72  # the last layer's 3 empty lanes of 8
    assert [found.resident_rows(count) for count in (0, 3, 4, 67, 68, 1000)] == [
        0,
        0,
        4,
        64,
        68,
        68,
    ]
    assert [found.streamed_beats(rows) for rows in (0, 4, 64, 68)] == [51, 48, 3, 0]


def test_the_image_computes_the_network() -> None:
    """Row by row out of the bytes alone, in Python's integers, as the engine is described to do."""
    found = laid()
    bits = int.from_bytes(found.image().tobytes(), "little")
    events = np.random.default_rng(3).integers(-(1 << 15), 1 << 15, (4, 16))
    for event, meant in zip(events, found.model.forward(events), strict=True):
        values, row = [int(value) for value in event], 0
        for layer, rows in zip(found.layers, found.layer_rows, strict=True):
            spread = found.spread(layer)
            lanes = [0] * 64
            for step in range(rows):
                for lane in range(64):
                    field = bits >> ((row * 64 + lane) * 6) & 63
                    source = step * 64 // spread + lane // spread
                    if source < len(values):
                        lanes[lane] += (field - 64 * (field >> 5)) * values[source]
                row += 1
            sums = [sum(lanes[out::spread]) for out in range(layer.output.values)]
            end = layer.requantise
            total = np.array(sums) + layer.bias + end.half >> end.shift
            low = max(0, end.output_format.minimum) if end.activation == "relu" else None
            limit = end.output_format
            clipped = np.clip(total, limit.minimum if low is None else low, limit.maximum)
            values = [int(value) for value in clipped]
        assert values == meant.tolist()


def changed(**keys: Any) -> Model:
    path = find_overlay("weight_streaming").model_path
    assert path is not None
    content = json.loads(path.read_text())
    content["layers"][0].update(keys)
    return parse_model(content)


def test_what_the_engine_cannot_do_is_refused() -> None:
    with pytest.raises(OverlayError, match="layer 0 cannot be streamed"):
        Streamed(changed(overflow="wrap"), 64, 64)
    with pytest.raises(OverlayError, match="layer 0 cannot be streamed"):
        Streamed(tagger(), 32, 64)
    with pytest.raises(InputError, match="must be a power of two"):
        MemoryPort(data_bits=512, lanes=48)
    with pytest.raises(InputError, match="must be one of 64, 128, 256, 512"):
        MemoryPort(data_bits=96, lanes=64)


def test_the_package_has_no_weights() -> None:
    text = streaming_package(tagger(), PORT)
    assert "localparam int unsigned ROWS = 68;" in text
    assert "WEIGHTS" not in text
    assert max(map(len, text.splitlines())) <= 100


@given(
    rows=st.integers(0, 17), memory=st.sampled_from(list(MEMORIES)), outstanding=st.integers(1, 4)
)
def test_the_bound_is_no_less_than_each_of_its_parts(
    rows: int, memory: str, outstanding: int
) -> None:
    found, model = laid(), MEMORIES[memory]
    limit = bound(found, PORT, model, 200e6, 4 * rows, outstanding)
    beats = found.streamed_beats(4 * rows)
    rate = min(model.bytes_per_cycle(200e6), 64)
    assert limit.bandwidth == pytest.approx(beats * 64 / rate)
    assert limit.latency >= limit.bandwidth * (1 - 1e-9)
    assert limit.compute == 77
    assert limit.interval == max(limit.bandwidth, limit.latency, limit.compute)
    more = bound(found, PORT, model, 200e6, 4 * rows + 4, outstanding)
    assert more.interval <= limit.interval * (1 + 1e-9)


def test_one_burst_at_a_time_pays_the_whole_latency_each_time() -> None:
    memory = MEMORIES["hbm2-u55c"]
    limit = bound(laid(), PORT, memory, 200e6, 0, 1)
    assert limit.latency == pytest.approx(7 * (memory.latency_ns / 5 + 2) + 51)
    assert limit.binding == "latency"
    assert bound(laid(), PORT, memory, 200e6, 68, 1).latency == 0


def test_memories_are_found_by_name_and_by_board() -> None:
    assert find_memory("hbm2-u55c").title.startswith("Alveo U55C")
    with pytest.raises(InputError, match=r"unknown memory 'ddr3-pynq-z3'.*ddr3-pynq-z2"):
        find_memory("ddr3-pynq-z3")
    names = [getattr(memory_of_board(name), "name", None) for name in ("pynq-z2", "zcu104", "x")]
    assert names == ["ddr3-pynq-z2", "ddr4-zcu104", None]


@pytest.mark.parametrize(("name", "key"), [("throughput", "measured_khz"), ("knees", "knee_khz")])
def test_what_was_measured_is_within_a_tenth_of_the_bound(name: str, key: str) -> None:
    """The table beside the benchmark: of these very figures, every memory, and nowhere off."""
    path = project_root() / "benchmarks" / "memory" / f"{name}.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["memory"] for row in rows} == set(MEMORIES)
    for row in rows:
        limit = bound(laid(), PORT, MEMORIES[row["memory"]], 200e6, int(row["resident_rows"]), 4)
        assert float(row["bound_khz"]) == pytest.approx(200e3 / limit.interval, abs=0.006)
        assert row["binding"] == limit.binding
        assert float(row[key]) == pytest.approx(200e3 / limit.interval, rel=0.1)
