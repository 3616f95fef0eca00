"""The network blocks: random shapes, formats and reuse factors in one build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gateware.networks import chains, design, environment
from tests.gateware.rtl import check, simulate

pytestmark = pytest.mark.xdist_group("gateware-nn")


@pytest.mark.parametrize("seed", [1, 2])
def test_layers_are_exact_from_any_state_at_power_up(seed: int, tmp_path: Path) -> None:
    check(simulate(design(), "network", tmp_path, seed=seed, env=environment()))


def test_the_chains_differ_in_all_that_matters() -> None:
    found = chains()
    for name in ("in_signed", "out_signed", "half_up", "relu", "saturate"):
        assert {getattr(chain, name) for chain in found} == {False, True}, name
    assert len({chain.reuse for chain in found}) > 3
