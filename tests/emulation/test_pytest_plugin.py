"""The pytest plugin in other people's projects, each a folder with a pytest process of its own."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest

from harness.errors import BoardError
from harness.pytest_plugin.turns import Turn
from harness.targets.lease import Lease
from harness.targets.spec import parse_spec
from tests.board_process import BoardProcess

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
DIAL = (ROOT / "tests" / "example_project" / "benchmarks" / "trigger.toml").read_text()
MISSING = "uart:///dev/tty-that-is-missing"
CACHE = os.environ.get("HARNESS_CACHE") or Path.home() / ".cache" / "fpga-harness"
HEAVY = {"numpy", "pandas", "pynq", "cattrs", "rich", "grpc", "harness.run"}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return an empty project of a user who lets nothing pass."""
    for name in [name for name in os.environ if name.startswith(("PYTEST_", "HARNESS_BOARDS"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{pytester.path}")
    monkeypatch.setenv("HARNESS_CACHE", str(CACHE))  # pytester has a home of its own
    monkeypatch.setenv("HARNESS_LEASES", str(pytester.path / "leases"))
    pytester.makepyprojecttoml(
        """
        [tool.pytest.ini_options]
        addopts = "-ra --strict-markers --strict-config"
        filterwarnings = ["error"]
        """
    )
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return project.runpytest_subprocess(
        "-p", "harness.pytest_plugin", "-p", "no:cacheprovider", *arguments, timeout=240
    )


def write_benchmark(project: pytest.Pytester, name: str, old: str = "", new: str = "") -> None:
    assert old in DIAL
    path = project.path / "benchmarks" / f"{name}.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(DIAL.replace("20_000", "2_000").replace(old, new))


# ------------------------------------------------------------------ other people's start


def test_who_needs_no_board_pays_nothing(project: pytest.Pytester) -> None:
    project.makepyfile("def test_something(): pass")
    project.makeconftest(
        f"""
        import sys
        def pytest_unconfigure():
            print("heavy:", sorted({HEAVY!r} & set(sys.modules)))
        """
    )
    found = run(project)
    found.assert_outcomes(passed=1)
    found.stdout.fnmatch_lines(["heavy: []"])
    found.stdout.no_fnmatch_line("harness: *")


def test_options_have_a_group_of_their_own(project: pytest.Pytester) -> None:
    found = run(project, "--help")
    found.stdout.fnmatch_lines(["FPGA boards and their benchmarks:", "*--harness-target=HOW*"])
    found.stdout.fnmatch_lines(["*harness_target (string):*"])


def test_the_entry_point_is_the_module_itself() -> None:
    # Under another name, `-p harness.pytest_plugin` would load it a second time, and fail.
    for point in importlib.metadata.entry_points(group="pytest11"):
        if point.value.startswith("harness"):
            assert point.name == point.value == "harness.pytest_plugin"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--harness-target", "lab"], "*--harness-target: unknown target 'lab'*"),
        (["--harness-target", "uart://x"], "*uart:///dev/ttyUSB1*"),
        (["--harness-boards", "none.toml"], "*--harness-boards: there is no file*none.toml"),
        (["--harness-wait", "soon", "--harness-target", MISSING], "*'soon' is no number of sec*"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_said_at_once(
    project: pytest.Pytester, arguments: list[str], said: str
) -> None:
    found = run(project, *arguments)
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines([f"ERROR: {said}"])


# ------------------------------------------------------------------ fixtures and markers


def test_fixtures_and_markers_on_the_virtual_board(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from harness.errors import BoardError

        @pytest.mark.requires_board
        def test_skipped_virtual(board): raise AssertionError

        @pytest.mark.requires_capability("dma", "uart")
        def test_skipped_uart(board): raise AssertionError

        @pytest.mark.requires_capability("dmaa")
        def test_error_capability(board): pass

        @pytest.mark.requires_capability("dma", "load", "clock")
        def test_passed_capabilities(board):
            assert board.capabilities == {"dma", "load", "clock"}
            assert board.time_base == "simulated fabric" and board.kind.name == "kv260"

        @pytest.mark.overlay("dial", clock="100 MHz")
        def test_passed_overlay(overlay):
            assert overlay.clock.measured_hz == pytest.approx(100e6, rel=1e-3)

        @pytest.mark.parametrize("overlay", ["dial", "loopback"], indirect=True)
        def test_passed_indirect(overlay, request):
            from harness.overlay import find_overlay
            name = request.node.callspec.params["overlay"]
            assert overlay.identity.digest == find_overlay(name).digest

        def test_error_nameless(overlay): pass

        @pytest.mark.overlay("dail")
        def test_error_unknown(overlay): pass

        def test_failed_board(board): raise BoardError("a board that recovers")

        def test_passed_afterwards(board):
            assert board.load("dial").identity.digest
        """
    )
    found = run(project, "--harness-board", "kv260")
    found.assert_outcomes(passed=5, skipped=2, errors=3, failed=1)
    found.stdout.fnmatch_lines(
        [
            "*unknown capability 'dmaa'; did you mean 'dma'?",
            '*names no overlay; such as @pytest.mark.overlay("dial"), or parametrize*',
            "*unknown overlay 'dail'; did you mean 'dial'?",
            "*needs a board, and the target is the virtual one: give --harness-target",
            "*needs a serial line to the fabric, which a kv260 has not",
        ]
    )


def test_a_run_fails_with_its_reasons_and_tells_what_it_measured(project: pytest.Pytester) -> None:
    write_benchmark(project, "dial")
    project.makepyfile(
        test_it="""
        import pytest
        from harness.errors import BenchmarkError

        FILE = "benchmarks/dial.toml"

        def test_fails(benchmark):
            benchmark(FILE, {"run.derandomiser": 1})

        def test_sees_everything(benchmark):
            run = benchmark(FILE, {"run.derandomiser": 1}, check=False)
            assert run.verdict == "fail" and run.reasons[0]["what"] == "events were dropped"
            counts = run.histograms["total"].counts
            assert counts.sum() == run.result["events"]["completed"] < 2000
            assert len(run.trace.event) == 1024
            assert run.cycles("service", "min") == 20 and run.ns("service", "min") == 100
            assert (run.folder / "result.json").is_file()
            with pytest.raises(AssertionError, match="events were dropped"):
                run.check()
            with pytest.raises(AssertionError, match="total p999 cannot be stated: not resolv"):
                benchmark(FILE, {"run.events": 1000}).ns("total", "p999")

        def test_knows_what_is_wrong(benchmark):
            with pytest.raises(BenchmarkError, match="did you mean 'events'"):
                benchmark(FILE, {"run.event": 1})
        """
    )
    found = run(project, "--harness-out", "kept")
    found.assert_outcomes(passed=2, failed=1)
    found.stdout.fnmatch_lines(
        [
            '>       benchmark(FILE, {"run.derandomiser": 1})',
            "E *trigger FAIL: a requirement does not hold",
            "E *fail: events were dropped: *, at most 0 allowed; lower the rate, or*",
            "*= measurements =*",
            "FAIL *::test_fails: trigger, total p50/p99/p99.9 110/150/- ns, * dropped, *",
        ]
    )
    found.stdout.no_fnmatch_line("*in run_on*")  # the traceback ends where the user's code does
    assert len(list(project.path.glob("kept/*/manifest.json"))) == 3


def test_fixtures_of_others_come_first(project: pytest.Pytester) -> None:
    # pytest-benchmark registers under the name of its entry point.
    (project.path / "rival.py").write_text(
        """
import pytest

@pytest.fixture
def benchmark():
    return "the rival's"

def pytest_load_initial_conftests(early_config):
    early_config.pluginmanager.register(Rival(), "benchmark")

class Rival:
    pass
"""
    )
    project.makeconftest(
        """
        import pytest

        @pytest.fixture
        def board():
            return "the user's"
        """
    )
    project.makepyfile(
        """
        def test_theirs_and_ours(board, benchmark, harness_board, harness_benchmark):
            assert (board, benchmark) == ("the user's", "the rival's")
            run = harness_benchmark("smoke/dial", {"run.events": 500})
            assert run.verdict == "pass" and harness_board.kind.name == "zcu104"
        """
    )
    run(project, "-p", "rival").assert_outcomes(passed=1)


# ------------------------------------------------------------------ benchmark files


def test_files_are_tests_where_asked(project: pytest.Pytester) -> None:
    write_benchmark(project, "passing")
    write_benchmark(project, "failing", "derandomiser = 256", "derandomiser = 1")
    write_benchmark(project, "doubtful", 'total_p99 = "1 us"', 'total_p999 = "1 us"')
    write_benchmark(project, "unreadable", "schema = 1", "schema = ")
    write_benchmark(project, "unknown", "distinct = 256", "distinkt = 256")
    run(project).assert_outcomes()
    run(project, "benchmarks/passing.toml").assert_outcomes(passed=1)
    found = run(project, "--harness-benchmarks", "-o", "console_output_style=classic")
    found.assert_outcomes(passed=1, failed=4)
    found.stdout.fnmatch_lines_random(
        [
            "trigger FAIL: a requirement does not hold",
            "trigger INVALID: the numbers must not be believed",
            "  invalid: total_p999 cannot be stated, so it cannot be required: *; raise run.events",
            "*unreadable.toml: *",
            "*traffic.distinkt: is not a known key; did you mean 'distinct'?",
        ]
    )
    run(project, "--harness-benchmarks", "-m", "not harness_benchmark").assert_outcomes(
        deselected=5
    )


# ------------------------------------------------------------------ boards that fail


def test_a_dead_board_is_one_error(project: pytest.Pytester) -> None:
    write_benchmark(project, "dial")
    write_benchmark(project, "jets", 'overlay = "dial"', 'overlay = "jet_tagger"')
    project.makefile(".toml", boards=f'[boards.lab]\ntarget = "{MISSING}"\nboard = "basys3"\n')
    project.makepyfile(
        """
        import pytest
        def test_first(board): pass
        def test_second(benchmark): pass
        @pytest.mark.overlay("dial")
        def test_third(overlay): pass
        def test_without(): pass
        """
    )
    found = run(project, "--harness-target", "lab", "--harness-benchmarks", "benchmarks", ".")
    found.stdout.fnmatch_lines(["harness: target lab, board basys3"])
    # The benchmark files come first; then whoever wants the board only hears why not.
    outcomes = found.parseoutcomes()
    assert outcomes == {"failed": 1, "skipped": 4, "passed": 1}
    found.stdout.fnmatch_lines(["SKIPPED*the board cannot be used: *tty-that-is-missing*"])


def test_what_no_board_of_that_kind_can_run_is_skipped(project: pytest.Pytester) -> None:
    write_benchmark(project, "jets", 'overlay = "dial"', 'overlay = "jet_tagger"')
    found = run(
        project, "--harness-target", MISSING, "--harness-board", "basys3", "--harness-benchmarks"
    )
    found.assert_outcomes(skipped=1)
    found.stdout.fnmatch_lines(["*overlay jet_tagger is not made for board basys3"])


def test_a_board_in_use_is_waited_for_or_named(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(board): pass")
    with Lease(parse_spec(MISSING).resource, "somebody's afternoon"):
        found = run(project, "--harness-target", MISSING, "--harness-board", "arty-a7")
    found.assert_outcomes(errors=1)
    found.stdout.fnmatch_lines(["*the board is in use; held by * for somebody's afternoon; *"])
    found.stdout.fnmatch_lines(["*wait with --harness-wait SECONDS*"])


def test_workers_wait_for_each_other_but_not_for_ever(tmp_path: Path) -> None:
    first = Turn(tmp_path / "board")
    with pytest.raises(BoardError, match=r"kept the board; for 0\.1 s; run .* without -n"):
        Turn(tmp_path / "board", wait_s=0.1)
    first.end()
    Turn(tmp_path / "board", wait_s=0).end()


def test_a_board_that_dies_ends_the_tests_of_it(
    project: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(
        """
        import os, signal

        def test_lives(benchmark):
            benchmark("smoke/dial", {"run.events": 500})

        def test_dies(board):
            os.kill(int(os.environ["BOARD"]), signal.SIGKILL)
            board.load("dial")

        def test_never_tried(board): raise AssertionError

        def test_without(): pass
        """
    )
    with BoardProcess("--overlay", "dial", "--overlay", "loopback", folder=tmp_path) as board:
        monkeypatch.setenv("BOARD", str(board.pid))
        found = run(project, "--harness-target", board.target)
    found.assert_outcomes(passed=2, failed=1, skipped=1)
    found.stdout.fnmatch_lines(["SKIPPED*the board broke in *::test_dies: *"])


def test_a_board_that_is_not_healthy_meets_no_test(
    project: pytest.Pytester, tmp_path: Path
) -> None:
    project.makepyfile("def test_it(board): raise AssertionError")
    write_benchmark(project, "health", "derandomiser = 256", "derandomiser = 1")
    with BoardProcess("--overlay", "dial", folder=tmp_path) as board:
        options = ["--harness-target", board.target, "--harness-health"]
        found = run(project, *options, "benchmarks/health.toml")
        found.assert_outcomes(errors=1)
        found.stdout.fnmatch_lines(["*is not healthy, benchmarks/health.toml says fail; events*"])
        run(project, *options, "none").assert_outcomes(failed=1)
