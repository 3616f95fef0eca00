"""Probes of a board: reachable, whose, what kind, in what state."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from harness.doctor.finding import Finding, Probe
from harness.errors import HarnessError
from harness.targets import open_target
from harness.targets.board_lease import PATH as NOTE
from harness.targets.lease import leases
from harness.targets.sensors import temperatures

if TYPE_CHECKING:
    from harness.inventory import Board
    from harness.targets import Target
    from harness.targets.spec import TargetSpec

__all__ = ["probes"]

MANAGER: Final = "/sys/class/fpga_manager/fpga0/"
_CONNECT_S: Final = 3.0
_LEAST_CMA_KB: Final = 8 << 10
_REFUSED: Final = "nothing listens there: is pynq-remote running? systemctl status pynq-remote"
_SILENT: Final = "is the board on, in this network, and its address right? ping it"


def probes(spec: TargetSpec, board: Board, held: ExitStack) -> Iterator[Probe]:
    """Yield the probes of a board, the most basic first.

    Args:
        spec: How it is reached.
        board: Which kind it should be.
        held: Closes what was opened.
    """
    yield Probe("board", "lease", lambda: _lease(spec))
    if spec.kind == "virtual":
        return
    if spec.kind == "pynq":
        yield Probe("board", "network", lambda: _network(spec), 10.0)
    if spec.path:
        yield Probe("board", "port", lambda: _port(Path(spec.path)))
    if spec.kind in {"null", "mlperf"}:
        return
    opened: list[Target] = []
    yield Probe("board", "answer", lambda: _answer(spec, board, held, opened), 30.0)
    yield Probe("board", "state", lambda: _state(opened), 15.0)
    yield Probe("board", "system", lambda: _system(opened), 15.0)


def _lease(spec: TargetSpec) -> Iterator[Finding]:
    for holder, is_held in leases():
        if spec.resource and holder.resource == spec.resource and is_held:
            yield Finding(
                "board", "lease", "note", f"held by {holder}", "wait with --wait, or ask them"
            )
            return
    told = "free on this machine" if spec.resource else "not needed: everybody has their own"
    yield Finding("board", "lease", "ok", told)


def _network(spec: TargetSpec) -> Iterator[Finding]:
    try:
        found = socket.getaddrinfo(spec.host, spec.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Finding(
            "board",
            "name",
            "wrong",
            f"{spec.host}: {error.strerror or error}",
            "use its address, such as 192.168.2.99",
        )
        return
    address = found[0][4]
    yield Finding("board", "name", "ok", f"{spec.host} is {address[0]}")
    where = f"{address[0]} port {spec.port}"
    try:
        with socket.create_connection((spec.host, spec.port), timeout=_CONNECT_S):
            yield Finding("board", "network", "ok", f"{where} accepts connections")
    except ConnectionRefusedError:
        yield Finding("board", "network", "wrong", f"{where} refuses connections", _REFUSED)
    except OSError as error:
        told = f"{where}: {error.strerror or error}"
        yield Finding("board", "network", "wrong", told, _SILENT)


def _port(path: Path) -> Iterator[Finding]:
    if not path.exists():
        others = ", ".join(sorted(map(str, Path("/dev/serial/by-id").glob("*")))) or "none"
        yield Finding(
            "board",
            "port",
            "wrong",
            f"there is no {path}; serial ports: {others}",
            "is the cable plugged in? see dmesg",
        )
    elif not os.access(path, os.R_OK | os.W_OK):
        yield Finding(
            "board",
            "port",
            "wrong",
            f"{path} may not be opened by this user",
            "join its group (usermod -aG dialout $USER) and log in again",
        )
    else:
        yield Finding("board", "port", "ok", f"{path} -> {path.resolve()}")


def _answer(
    spec: TargetSpec, board: Board, held: ExitStack, opened: list[Target]
) -> Iterator[Finding]:
    # Looked at only: whoever has it keeps it.
    target = held.enter_context(open_target(spec.text, board, purpose="doctor", leased=False))
    opened.append(target)
    facts = target.facts()
    told = ", ".join(f"{key} {facts[key]}" for key in ("board", "part", "bridge") if key in facts)
    yield Finding("board", "answer", "ok", f"{told}; {target.time_base}")
    if "kernel" in facts:
        yield Finding("board", "kernel", "ok", facts["kernel"])
    versions = [f"pynq {facts['pynq']} here"] if "pynq" in facts else []
    image = target.read_text("/home/xilinx/REVISION")
    versions += [f"image there: {' '.join(image.split())}"] if image else []
    if versions:
        yield Finding("board", "software", "ok", ", ".join(versions))


def _state(opened: list[Target]) -> Iterator[Finding]:
    for target in opened:
        state = target.read_text(f"{MANAGER}state")
        if state is not None:
            good = state in {"operating", "unknown", "power up"}
            hint = "" if good else "load an overlay: harness validate loopback --target ..."
            yield Finding("board", "fpga_manager", "ok" if good else "wrong", state, hint)
        hz = target.clock_hz()
        told = "off" if hz is None else f"{hz / 1e6:.6g} MHz by its dividers"
        yield Finding("board", "fabric clock", "ok" if hz else "note", told)
        yield from _note(target)


def _note(target: Target) -> Iterator[Finding]:
    text = target.read_text(NOTE)
    try:
        note = json.loads(text or "{}")
    except ValueError:
        note = {}
    if isinstance(note, dict) and note.get("user"):
        told = f"{note.get('user')}@{note.get('host')} for {note.get('purpose') or 'something'}"
        yield Finding(
            "board",
            "user",
            "note",
            f"note on the board: {told}",
            "ask them before you load anything",
        )


def _system(opened: list[Target]) -> Iterator[Finding]:
    for target in opened:
        memory = target.read_text("/proc/meminfo") or ""
        sizes = {name: int(kb) for name, kb in re.findall(r"^(Cma\w+):\s+(\d+) kB", memory, re.M)}
        if "CmaFree" in sizes:
            free, total = sizes["CmaFree"], sizes.get("CmaTotal", 0)
            low = free < _LEAST_CMA_KB
            yield Finding(
                "board",
                "contiguous memory",
                "wrong" if low else "ok",
                f"{free >> 10} of {total >> 10} MiB free",
                "end what holds buffers there, or restart its server" if low else "",
            )
        try:
            found = temperatures(target.read_text)
        except HarnessError:
            found = {}
        told = ", ".join(f"{name} {value:.1f} C" for name, value in found.items())
        yield Finding("board", "temperature", "ok", told or "no sensor")
