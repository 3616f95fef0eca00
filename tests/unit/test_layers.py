"""The imports point one way, and the heavy ones are lazy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

HARNESS = Path(__file__).parents[2] / "harness"

# A module may import from its own layer's package and from layers further down.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"commands"},
    {"board"},
    {"doctor", "hostrun", "pytest_plugin", "sweep", "tinyrun", "validate"},
    {"firmware"},
    {"run", "catalogue"},
    {"report"},
    {"measure"},
    {"hostpaced"},
    {"session"},
    {"fabric"},
    {"targets"},
    {"emulation"},
    {"synthesis"},
    {"generate"},
    {"architecture"},
    {"benchmark"},
    {"overlay", "traffic"},
    {"memories"},
    {"manifest", "bitfile", "ps_clocks"},
    {"accelerators", "inventory", "overlay_files", "tomlfile"},
    {"quantity"},
    {"archives", "registers", "uart_protocol", "virtual_time"},
    {"errors"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
FENCED = {"pynq", "pynqmetadata", "pynqutils", "serial", "grpc", "ctypes"}
OPENS_THE_FENCE = {"targets", "emulation"}
MODULES = sorted(HARNESS.rglob("*.py"))


def unit_of(path: Path) -> str:
    return path.relative_to(HARNESS).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found.append((node.module or "", node.lineno))
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(HARNESS)))
def test_imports_point_down(path: Path) -> None:
    unit = unit_of(path)
    if unit == "__init__":
        assert imports_of(path) == []
        return
    for name, line in imports_of(path):
        parts = name.split(".")
        if parts[0] == "harness" and len(parts) > 1 and parts[1] != unit:
            assert RANK[unit] < RANK[parts[1]], f"{path}:{line}: {unit} must not import {parts[1]}"
            if parts[1] == "emulation":
                assert unit == "targets", f"{path}:{line}: emulation is reached through targets"
        if parts[0] in FENCED:
            assert unit in OPENS_THE_FENCE, f"{path}:{line}: {name} belongs to targets, emulation"


def test_the_command_line_does_not_pay_for_what_it_does_not_use() -> None:
    code = "import sys, harness.cli; print(*sorted(sys.modules))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
    )
    assert not loaded & {"pynq", "numpy", "pandas", "pyarrow", "rich", "matplotlib", "cattrs"}
