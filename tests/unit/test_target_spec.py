"""What may stand after --target, and the names that a boards.toml gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.targets import open_target
from harness.targets.boards_file import boards_path, read_boards, resolve
from harness.targets.spec import FORMS, TargetSpec, parse_spec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("virtual", TargetSpec("virtual", "virtual")),
        ("local", TargetSpec("local", "local")),
        ("null", TargetSpec("null", "null")),
        ("pynq://192.168.2.99", TargetSpec("", "pynq", host="192.168.2.99", port=7967)),
        ("pynq://board.lab:8000/", TargetSpec("", "pynq", host="board.lab", port=8000)),
        ("pynq://[::1]:1", TargetSpec("", "pynq", host="::1", port=1)),
        ("uart:///dev/ttyUSB1", TargetSpec("", "uart", path="/dev/ttyUSB1", baud=921_600)),
        ("uart:///dev/a?baud=115200", TargetSpec("", "uart", path="/dev/a", baud=115_200)),
        ("mlperf:///dev/ttyACM0", TargetSpec("", "mlperf", path="/dev/ttyACM0")),
    ],
)
def test_forms(text: str, expected: TargetSpec) -> None:
    found = parse_spec(text)
    assert (found.text, found.kind) == (text, expected.kind)
    assert (found.host, found.port) == (expected.host, expected.port)
    assert (found.path, found.baud) == (expected.path, expected.baud)


@pytest.mark.parametrize(
    "text",
    [
        "", "Virtual", "http://x", "pynq://", "pynq://:7967", "pynq://a b", "pynq://h:0x1",
        "pynq://h:99999", "pynq://u@h", "pynq://h/path", "pynq://h?x=1", "uart://dev/ttyUSB1",
        "uart:dev", "uart:///dev/a?baud=0", "uart:///dev/a?baud=x", "uart:///dev/a?speed=1",
        "uart:///dev/a?baud=1&baud=2", "uart:///dev/a?baud=999999999", "pynq://[::1",
    ],
)  # fmt: skip
def test_what_is_none_of_them_is_told_what_is(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_spec(text)
    assert FORMS[2] in str(caught.value)


@given(
    st.text(max_size=60) | st.builds("{}://{}".format, st.sampled_from(["pynq", "uart"]), st.text())
)
def test_any_text_is_a_target_or_an_input_error(text: str) -> None:
    try:
        spec = parse_spec(text)
    except InputError:
        return
    assert spec.kind in {"virtual", "local", "null", "pynq", "uart", "mlperf"}


@pytest.mark.parametrize("text", ["null", "mlperf:///dev/ttyACM0"])
def test_what_has_no_fabric_is_sent_to_the_host_command(text: str) -> None:
    from harness.inventory import find_board

    with pytest.raises(InputError, match="harness host"):
        open_target(text, find_board("zcu104"))


BOARDS = """
[boards.lab]
target = "pynq://192.168.2.99"
board = "kv260"
notes = "under the desk"

[boards.arty]
target = "uart:///dev/ttyUSB1"
board = "arty-a7"
"""


@pytest.fixture
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "boards.toml"
    path.write_text(BOARDS)
    monkeypatch.setenv("HARNESS_BOARDS", str(path))
    return path


def test_a_name_stands_for_target_and_board(boards: Path) -> None:
    spec, board = resolve("lab")
    assert (spec.kind, spec.host, board) == ("pynq", "192.168.2.99", "kv260")
    assert resolve("virtual") == (TargetSpec("virtual", "virtual"), None)
    assert read_boards()["lab"].notes == "under the desk"


def test_an_unknown_name_is_told_the_nearest(boards: Path) -> None:
    with pytest.raises(InputError, match="'lab'"):
        resolve("lap")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[boards.a]\ntarget = "nowhere"\nboard = "kv260"', "unknown target"),
        ('[boards.a]\ntarget = "local"\nboard = "kv261"', "unknown board"),
        ('[boards.a]\ntarget = "local"', "board"),
        ('[boards.a]\ntarget = "local"\nboard = "kv260"\nport = 1', "port"),
        ('[boards.virtual]\ntarget = "local"\nboard = "kv260"', "name of a target"),
        ("[boards.a\n", "boards.toml"),
    ],
)
def test_a_wrong_file_is_named_with_the_key(boards: Path, text: str, message: str) -> None:
    boards.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_boards()
    assert str(boards) in str(caught.value)


def test_the_file_is_looked_for_in_three_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_BOARDS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    assert boards_path() is None
    assert read_boards() == {}
    with pytest.raises(InputError, match=r"there is no boards\.toml"):
        resolve("lab")
    home = tmp_path / "config" / "harness" / "boards.toml"
    home.parent.mkdir(parents=True)
    home.write_text(BOARDS)
    assert boards_path() == home
    (tmp_path / "boards.toml").write_text("")
    assert boards_path() == Path("boards.toml")
    monkeypatch.setenv("HARNESS_BOARDS", str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match="is no file"):
        boards_path()
