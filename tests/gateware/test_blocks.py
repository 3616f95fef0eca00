"""Each block of stream_bench by itself; two builds serve them all."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.gateware.designs import MEASURE, MOVERS, TRAFFIC
from tests.gateware.rtl import Design, build, check, must_stop, simulate

TRAFFIC_GROUP = pytest.mark.xdist_group("gateware-traffic")
MEASURE_GROUP = pytest.mark.xdist_group("gateware-measure")

MODULES = [
    *(
        pytest.param(TRAFFIC, module, marks=TRAFFIC_GROUP, id=module)
        for module in ("schedule", "player", "path", "stream_check", "axil")
    ),
    *(
        pytest.param(MEASURE, module, marks=MEASURE_GROUP, id=module)
        for module in ("memories", "histogram", "monitor", "checker")
    ),
]

STOPS = [
    pytest.param(design, module, test, message, marks=group, id=test)
    for design, module, test, message, group in (
        (TRAFFIC, "stream_check_faults", "valid_drops", "TVALID dropped", TRAFFIC_GROUP),
        (TRAFFIC, "stream_check_faults", "data_changes", "TDATA changed", TRAFFIC_GROUP),
        (TRAFFIC, "stream_check_faults", "last_changes", "TLAST changed", TRAFFIC_GROUP),
        (TRAFFIC, "player_faults", "limit_too_large", "limit too large", TRAFFIC_GROUP),
        (MEASURE, "histogram_faults", "value_in_clear", "value lost in clear", MEASURE_GROUP),
    )
]


@pytest.mark.parametrize(("design", "module"), MODULES)
def test_block(design: Design, module: str, tmp_path: Path) -> None:
    check(simulate(design, module, tmp_path))


@pytest.mark.parametrize(
    "widths",
    [
        pytest.param(widths, marks=pytest.mark.xdist_group(f"gateware-mover-{widths[0]}"))
        for widths in MOVERS
    ],
    ids=str,
)
def test_block_mover(widths: tuple[int, int], tmp_path: Path) -> None:
    check(simulate(MOVERS[widths], "mover", tmp_path))


@pytest.mark.parametrize(("design", "module", "test", "message"), STOPS)
def test_assertion_stops(
    design: Design, module: str, test: str, message: str, tmp_path: Path
) -> None:
    must_stop(simulate(design, module, tmp_path, test=test), test, message)


@TRAFFIC_GROUP
def test_simulation_in_the_cache_does_not_need_the_environment_that_built_it() -> None:
    """The checkout and its environment may be gone when the tests of another one find it."""
    assert sys.prefix.encode() not in build(TRAFFIC).read_bytes()
