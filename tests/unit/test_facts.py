from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import harness
from harness.report import facts

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_facts_are_json(tmp_path: Path) -> None:
    found = facts.collect(facts.begin(), tmp_path)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["versions"]["harness"] == harness.__version__
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["versions"]["numpy"]
    assert UTC.fullmatch(found["started_utc"])
    assert UTC.fullmatch(found["ended_utc"])
    assert found["git"] is None


def test_a_clock_that_is_set_back_does_not_change_the_duration(tmp_path: Path) -> None:
    start = facts.begin()
    ahead = facts.Start(start.utc + timedelta(days=1), start.monotonic_ns)
    found = facts.collect(ahead, tmp_path)
    assert found["ended_utc"] < found["started_utc"]
    assert 0 < found["duration_ns"] < 60e9


def test_nothing_heavy_is_imported_for_its_version() -> None:
    code = (
        "import sys; from harness.report import facts; facts.versions(); "
        "print('pynq' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_missing_packages_are_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "_PACKAGES", ("no-such-package-here",))
    assert facts.versions()["no-such-package-here"] is None


def test_the_state_of_a_source_tree(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True)

    git("init", "-q")
    assert facts.git(tmp_path) == {"commit": None, "dirty": False}
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "first")
    clean = facts.git(tmp_path)
    assert clean is not None
    assert re.fullmatch(r"[0-9a-f]{40}", clean["commit"])
    assert clean["dirty"] is False
    (tmp_path / "b").touch()
    assert facts.git(tmp_path) == {"commit": clean["commit"], "dirty": True}
    # A folder inside a tree is not described by that tree.
    (tmp_path / "below").mkdir()
    assert facts.git(tmp_path / "below") is None


def test_a_machine_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts.git(tmp_path) is None
