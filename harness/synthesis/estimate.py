"""Estimate what an overlay takes: its accelerator and the measuring IP, each on its own."""

from __future__ import annotations

from collections.abc import Callable

from harness.generate.top import accelerator_parameters, bench_parameters
from harness.overlay import Overlay
from harness.synthesis import yosys
from harness.synthesis.cells import Resources
from harness.synthesis.record import SCHEMA, Estimate, Parts, family_of


def estimate(
    overlay: Overlay,
    progress: Callable[[str], None] = lambda _: None,
    deadline_s: float = yosys.DEADLINE_S,
    *,
    quick: bool = False,
) -> Estimate:
    """Synthesise an overlay for the families of its boards.

    Args:
        overlay: Which.
        progress: Told what is being done.
        deadline_s: For each module and family.
        quick: Leave redundant logic in the accelerator; see `harness.synthesis.yosys.synthesise`.

    Raises:
        OverlayError: A source is missing or stale.
        ToolchainError: Yosys is missing, or cannot do it.
        DeadlineError: It takes too long.
    """
    tool = yosys.version()
    families: dict[str, Parts] = {}
    # fabric_top, the last source, only ties both together.
    sources = overlay.rtl_sources()[:-1]
    for family in sorted({family_of(board) for board in overlay.boards}):

        def part(
            module: str,
            parameters: dict[str, int],
            family: str = family,
            *,
            quick: bool = False,
        ) -> Resources:
            progress(f"synthesising {module} for {family}")
            return yosys.synthesise(module, sources, parameters, family, deadline_s, quick=quick)

        families[family] = Parts(
            stream_bench=part("stream_bench", bench_parameters(overlay)),
            accelerator=part(
                overlay.accelerator.module, accelerator_parameters(overlay), quick=quick
            ),
        )
    command = f"harness estimate {overlay.name} --synthesise" + (" --quick" if quick else "")
    return Estimate(SCHEMA, overlay.digest, tool, command, families)
