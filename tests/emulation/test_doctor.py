"""`harness doctor`: whatever does not work, the cause is named, and soon."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.doctor import local
from harness.doctor.finding import Finding, Probe, take
from harness.emulation.server.server import BoardServer
from harness.errors import BoardError
from harness.inventory import BOARDS
from harness.overlay import project_root
from harness.targets import open_target
from harness.targets.serve import serve

pytestmark = [
    pytest.mark.xdist_group("served"),
    pytest.mark.filterwarnings("ignore::UserWarning:pynq"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
ROOT = Path(__file__).parents[2]


def asked(
    capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, dict[str, dict[str, Any]], float]:
    capsys.readouterr()
    began = time.monotonic()
    status = main(["doctor", *arguments, "--json"])
    found = {item["name"]: item for item in json.loads(capsys.readouterr().out)}
    return status, found, time.monotonic() - began


@pytest.fixture
def only_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what is installed: that takes seconds, and has tests of its own."""
    monkeypatch.setattr(local, "probes", lambda: iter(()))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serve(BOARDS["zcu104"], ["loopback"], port=0) as server:
        yield server.port


# ---------------------------------------------------------------------- this machine


def test_a_machine_where_everything_works(capsys: pytest.CaptureFixture[str]) -> None:
    status, found, took_s = asked(capsys)
    assert status == 0, [item for item in found.values() if item["state"] == "wrong"]
    assert took_s < 60
    for name in ("machine", "python", "numpy", "pynq", "verilator", "g++", "cache", "overlays"):
        assert found[name]["state"] == "ok", found[name]
    assert found["clashes"]["found"].startswith("none among")
    images = len(list((project_root() / "bitstreams").glob("*/*.toml")))
    assert f"{images} images, 0 of them real" in found["overlays"]["found"]
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.endswith("nothing is wrong\n")


def test_clashing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "greedy-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: greedy\nVersion: 1.0\n"
        'Requires-Dist: numpy>=2\nRequires-Dist: pandas>=99; extra == "more"\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    [finding] = [item for item in local._clashes() if item.found.startswith("greedy")]
    assert finding.state == "wrong"
    assert finding.found.startswith("greedy 1.0 wants numpy>=2, found 1.")
    assert finding.hint == "pip install 'numpy>=2'"


def test_a_setuptools_without_pkg_resources_is_named() -> None:
    assert list(local._setuptools("80.9.0")) == []
    [finding] = local._setuptools("83.0.0")
    assert (finding.state, finding.hint) == ("wrong", "pip install 'setuptools<81'")


def test_what_is_installed_and_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in (
        ("pynq", "raise ModuleNotFoundError(\"No module named 'pkg_resources'\")"),
        ("pyarrow", "raise ImportError('numpy.core.multiarray failed to import')"),
    ):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = {item.name: item for item in local._imports()}
    assert set(found) == {"import pynq", "import pyarrow"}
    assert found["import pynq"].state == "wrong"
    assert "setuptools<81" in found["import pynq"].hint
    assert found["import pyarrow"].state == "note"
    assert "multiarray" in found["import pyarrow"].found


def test_a_missing_compiler_is_no_reason_not_to_use_a_board(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("perl", "git", "env", "sh"):
        if path := shutil.which(name):
            (tools / name).symlink_to(path)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "doctor", "--json"],
        env={**os.environ, "PATH": str(tools), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = {item["name"]: item for item in json.loads(done.stdout)}
    assert not [f for f in found.values() if f["state"] == "wrong" and f["group"] == "compiler"]
    assert found["verilator"]["state"] == "note"
    assert "g++ is not on the PATH" in found["verilator"]["found"]
    assert "apt-get install g++" in found["verilator"]["hint"]


def test_a_spoiled_image_is_found(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("overlays", "bitstreams"):
        shutil.copytree(project_root() / name, tmp_path / name)
    monkeypatch.setenv("HARNESS_ROOT", str(tmp_path))
    (tmp_path / "bitstreams" / "dial" / "zcu104.bit").write_bytes(b"")
    [finding] = [item for item in local._overlays() if item.state == "wrong"]
    assert finding.name == "image dial zcu104"
    assert "sha256 does not match" in finding.found


def test_a_probe_that_hangs_or_fails_is_a_finding() -> None:
    free = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield Finding("board", "before", "ok", "seen")
        free.wait(20)

    began = time.monotonic()
    found = list(take(Probe("board", "stuck", hangs, 0.2)))
    assert time.monotonic() - began < 5
    free.set()
    assert [item.name for item in found][-1] == "stuck"
    assert found[-1].found == "no answer within 0.2 s"

    def fails() -> Iterator[Finding]:
        raise BoardError("is broken", where="it", hint="mend it")
        yield

    [finding] = take(Probe("board", "broken", fails))
    assert (finding.state, finding.found, finding.hint) == ("wrong", "it: is broken", "mend it")


# ---------------------------------------------------------------------- a board


@pytest.mark.usefixtures("only_the_board")
def test_a_board_that_works(capsys: pytest.CaptureFixture[str], port: int) -> None:
    target = f"pynq://127.0.0.1:{port}"
    status, found, took_s = asked(capsys, "--target", target)
    assert status == 0, found
    assert took_s < 30
    assert found["network"]["found"] == f"127.0.0.1 port {port} accepts connections"
    assert found["answer"]["found"].startswith("board zcu104, part xczu7ev")
    assert found["kernel"]["found"].startswith("Linux version")
    assert found["contiguous memory"]["found"] == "128 of 128 MiB free"
    assert found["fabric clock"]["found"] == "100 MHz by its dividers"
    assert found["temperature"]["found"] == "no sensor"
    assert found["lease"]["found"] == "free on this machine"

    with open_target(target, BOARDS["zcu104"], purpose="a soak"):
        status, found, _ = asked(capsys, "--target", target)
    assert status == 0
    assert "held by" in found["lease"]["found"]
    assert "for a soak" in found["lease"]["found"]
    assert "for a soak" in found["user"]["found"]


@pytest.mark.usefixtures("only_the_board")
def test_another_kind_of_board(capsys: pytest.CaptureFixture[str], port: int) -> None:
    status, found, _ = asked(capsys, "--target", f"pynq://127.0.0.1:{port}", "--board", "kv260")
    assert status == 1
    assert "is a 'zcu104', not a 'kv260'" in found["answer"]["found"]
    assert found["answer"]["hint"] == "use --board zcu104"
    assert "fpga_manager" not in found


@pytest.mark.usefixtures("only_the_board")
def test_a_fabric_that_refused_its_image(
    capsys: pytest.CaptureFixture[str], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(BOARDS["zcu104"], ["loopback"], port=0) as server:
        served: BoardServer = server
        served._board.virtual.state = "write error"
        status, found, _ = asked(capsys, "--target", f"pynq://127.0.0.1:{served.port}")
    assert status == 1
    assert (found["fpga_manager"]["state"], found["fpga_manager"]["found"]) == (
        "wrong",
        "write error",
    )


@pytest.mark.usefixtures("only_the_board")
def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
        status, found, took_s = asked(capsys, "--target", f"pynq://127.0.0.1:{number}")
    assert status == 1
    assert took_s < 10
    assert "refuses connections" in found["network"]["found"]
    assert "pynq-remote" in found["network"]["hint"]
    assert "answer" not in found  # it would only say so again, later


@pytest.mark.usefixtures("only_the_board")
def test_something_listens_that_does_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        number = mute.getsockname()[1]
        status, found, took_s = asked(capsys, "--target", f"pynq://127.0.0.1:{number}")
    assert status == 1
    assert took_s < 30
    assert found["network"]["state"] == "ok"
    assert "nobody answers" in found["answer"]["found"]


@pytest.mark.usefixtures("only_the_board")
def test_a_name_that_nobody_has(capsys: pytest.CaptureFixture[str]) -> None:
    status, found, took_s = asked(capsys, "--target", "pynq://no-such-board.invalid")
    assert status == 1
    assert took_s < 20
    assert any(item["state"] == "wrong" for item in found.values())


@pytest.mark.usefixtures("only_the_board")
def test_a_serial_port_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    status, found, _ = asked(capsys, "--target", "uart:///dev/ttyNOTHING")
    assert status == 1
    assert "there is no /dev/ttyNOTHING" in found["port"]["found"]
    main(["doctor", "--target", "uart:///dev/ttyNOTHING"])
    printed = capsys.readouterr().out
    assert "wrong: port: there is no /dev/ttyNOTHING" in printed
    assert "to do: is the cable plugged in?" in printed


def test_an_unknown_target_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--target", "carrier-pigeon"]) == 2
    assert "unknown target" in capsys.readouterr().err
