"""The example project, run as its user would: emulated, on a board, and by its recipes for CI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from harness import run as runs
from harness.overlay import find_overlay
from harness.report import store
from tests.board_process import BoardProcess

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "example_project"
GITHUB, GITLAB = ".github/workflows/fpga.yml", ".gitlab-ci.yml"
TIMEOUT_S = 240

pytestmark = pytest.mark.xdist_group("example project")


class Quiet:
    def stage(self, text: str) -> None: ...

    def events(self, done: int, of: int) -> None: ...


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".pytest_cache", "__pycache__"))
    return folder


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BoardProcess]:
    folder = tmp_path_factory.mktemp("board")
    with BoardProcess("--overlay", "dial", "--overlay", "loopback", folder=folder) as process:
        yield process


def name_board(project: Path, board: BoardProcess) -> None:
    """Put the served board where the project has the address of its own."""
    path = project / "boards.toml"
    text, count = re.subn(r"pynq://[\d.]+", board.target, path.read_text())
    assert count == 1
    path.write_text(text)


def shell(project: Path, script: str, **variables: str) -> str:
    """Run a script in the project as a runner does, up to the first command that fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=project,
        env={
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HARNESS_LEASES": str(project / ".leases"),
            # Once the harness is installed anew its entry point says the same.
            "PYTEST_ADDOPTS": "-p harness.pytest_plugin",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cases(path: Path) -> dict[str, dict[str, str]]:
    """Return the properties of each test of a JUnit file."""
    root = ET.parse(path).getroot()  # noqa: S314 (pytest wrote it)
    return {
        str(case.get("name")): {
            str(item.get("name")): str(item.get("value")) for item in case.iter("property")
        }
        for case in root.iter("testcase")
    }


# ------------------------------------------------------------------ tests


def test_emulated_on_two_workers_with_the_numbers_of_harness_run(
    project: Path, tmp_path: Path
) -> None:
    said = shell(project, "pytest -n 2 --harness-benchmarks --junitxml junit.xml")
    assert "6 passed, 1 skipped" in said

    request = runs.Request(str(EXAMPLE / "benchmarks/trigger.toml"), "virtual", None, tmp_path)
    result = store.load(runs.run(request, Quiet()).folder).result
    found = cases(project / "junit.xml")
    expected: dict[str, Any] = {
        "verdict": "pass",
        "time_base": "simulated fabric",
        "target": "virtual",
        "overlay_digest": find_overlay("dial").digest,
        "benchmark_digest": result["benchmark"]["digest"],
        "dropped_events": 0,
        "missed_events": 0,
        "completed_events": 20_000,
        "achieved_hz": result["rate"]["achieved_hz"],
    }
    for name, value in result["latency"]["total"].items():
        if name in {"p50", "p99", "p999", "max"} and isinstance(value, dict):
            expected |= {f"total_{name}_{unit}": number for unit, number in value.items()}
    assert {"total_p999_cycles", "total_p50_ns"} < expected.keys()
    for case in ("trigger", "test_it_keeps_up"):
        told = found[case]
        assert {name: told[f"harness.{name}"] for name in expected} == {
            name: str(value) for name, value in expected.items()
        }
    queue = found["test_the_queue_grows_with_the_load"]
    rates = [queue[f"harness.{prefix}target_hz"] for prefix in ("", "2.", "3.")]
    assert [float(rate) for rate in rates] == pytest.approx([8e6, 12e6, 16e6], rel=1e-5)
    assert found["test_the_board_runs_at_half_the_clock_as_well"] == {}


def test_the_same_tests_on_a_board_where_two_workers_take_turns(
    project: Path, board: BoardProcess
) -> None:
    name_board(project, board)
    options = "--harness-target lab --harness-boards boards.toml --harness-benchmarks"
    said = shell(project, f"pytest -n 2 {options} --junitxml junit.xml")
    # Nobody was told to wait for the lease, so two at once would have failed.
    assert "7 passed" in said

    shell(project, "pytest benchmarks/trigger.toml --junitxml virtual.xml")
    remote, virtual = cases(project / "junit.xml"), cases(project / "virtual.xml")
    assert remote["trigger"]["harness.target"] == board.target
    different = {"harness.target", "harness.folder"}
    assert {
        name for name, value in virtual["trigger"].items() if remote["trigger"][name] != value
    } == different


# ------------------------------------------------------------------ recipes


def recipe(name: str) -> dict[Any, Any]:
    read: dict[Any, Any] = yaml.safe_load((EXAMPLE / name).read_text())
    return read


def github_steps(job: str) -> dict[str, dict[str, Any]]:
    """Return the steps of a job that run something, by name, after the installation."""
    steps = [step for step in recipe(GITHUB)["jobs"][job]["steps"] if "run" in step]
    assert steps[0]["name"] == "Install"
    return {step["name"]: step for step in steps[1:]}


def run_github(project: Path, job: str, outputs: Path) -> None:
    for step in github_steps(job).values():
        shell(
            project,
            step["run"],
            GITHUB_OUTPUT=str(outputs / "outputs"),
            GITHUB_STEP_SUMMARY=str(outputs / "summary.md"),
        )
    assert "| trigger |" in (outputs / "summary.md").read_text()


def assert_uploaded(project: Path, paths: list[str]) -> None:
    for path in paths:
        assert (project / path).exists(), path
    assert b"trigger" in (project / "report.html").read_bytes()


def test_github_emulated(project: Path, tmp_path: Path) -> None:
    run_github(project, "emulated", tmp_path)
    job = recipe(GITHUB)["jobs"]["emulated"]
    [cache] = [step for step in job["steps"] if "cache@" in step.get("uses", "")]
    [named] = [step for step in job["steps"] if step.get("id") == "fabric"]
    # The folder that is cached is the one that is compiled into, under the key that was computed.
    folder = job["env"]["HARNESS_CACHE"]
    assert folder == "${{ github.workspace }}/" + cache["with"]["path"]
    assert cache["with"]["key"] == f"fabric-${{{{ steps.{named['id']}.outputs.key }}}}"
    assert re.fullmatch(r"key=[0-9a-f]{32}\n", (tmp_path / "outputs").read_text())
    order = [step.get("name") or step["uses"].partition("@")[0] for step in job["steps"]]
    assert order.index("Install") < order.index(named["name"]) < order.index("actions/cache")
    assert order.index("actions/cache") < order.index("Compile") < order.index("Test")
    assert_uploaded(project, job["steps"][-1]["with"]["path"].split())


def test_github_board(project: Path, tmp_path: Path, board: BoardProcess) -> None:
    name_board(project, board)
    run_github(project, "board", tmp_path)
    job = recipe(GITHUB)["jobs"]["board"]
    assert_uploaded(project, job["steps"][-1]["with"]["path"].split())
    assert "self-hosted" in job["runs-on"]
    assert job["if"] == "github.event_name != 'pull_request'"
    assert job["concurrency"]
    assert "--harness-wait" in github_steps("board")["Test"]["run"]
    assert cases(project / "junit.xml")["trigger"]["harness.target"] == board.target


def test_gitlab_emulated(project: Path) -> None:
    job = recipe(GITLAB)["emulated"]
    shell(project, "\n".join(job["script"]))
    shell(project, "\n".join(job["after_script"]))
    [folder] = job["cache"]["paths"]
    assert job["variables"]["HARNESS_CACHE"] == f"$CI_PROJECT_DIR/{folder}"
    artifacts = job["artifacts"]
    assert artifacts["when"] == "always"
    assert_uploaded(project, [*artifacts["paths"], artifacts["reports"]["junit"]])


def test_gitlab_board_does_what_github_does() -> None:
    read = recipe(GITLAB)
    job = read["board"]
    assert job["script"] == [github_steps("board")["Test"]["run"]]
    assert job["artifacts"] == read["emulated"]["artifacts"]
    assert job["resource_group"]
    assert job["tags"]
    assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE != "merge_request_event"'}]
    assert job["after_script"] == [
        command.replace("harness report", ".venv/bin/harness report")
        for command in read["emulated"]["after_script"]
    ]


@pytest.mark.parametrize("name", [GITHUB, GITLAB])
def test_each_job_ends_by_itself(name: str) -> None:
    read = recipe(name)
    jobs = read["jobs"] if name == GITHUB else {job: read[job] for job in read["stages"]}
    assert set(jobs) == {"emulated", "board"}
    for job in jobs.values():
        assert "timeout-minutes" in job or "timeout" in job
