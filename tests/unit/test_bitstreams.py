"""`harness bitstreams`: what is taken in, and what is refused by the name of what is wrong."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.bitfile import BitFile, build_bit, parse_bit, to_bin
from harness.cli import main
from harness.overlay import find_overlay, project_root
from tests.vivado import built, described, payload


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of its own."""
    copied = tmp_path / "root"
    for name in ("overlays", "bitstreams"):
        shutil.copytree(project_root() / name, copied / name)
    monkeypatch.setenv("HARNESS_ROOT", str(copied))
    return copied


def laid(folder: Path, bit: BitFile | bytes, hwh: str | None) -> Path:
    path = folder / "fabric_wrapper.bit"
    path.write_bytes(bit if isinstance(bit, bytes) else build_bit(bit))
    if hwh is not None:
        path.with_suffix(".hwh").write_text(hwh)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert main(["bitstreams", "add", "loopback", *map(str, arguments)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def found(capsys: pytest.CaptureFixture[str], *names: str) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    status = main(["bitstreams", "verify", *names, "--json"])
    return status, json.loads(capsys.readouterr().out)


# ---------------------------------------------------------------------- what is taken


@pytest.mark.parametrize("board", ["zcu104", "pynq-z2"])
def test_an_image_of_vivado_is_taken_and_stays(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, root: Path, board: str
) -> None:
    path = laid(tmp_path, built(board), described(board))
    assert main(["bitstreams", "add", "loopback", board, str(path)]) == 0
    record = root / "bitstreams" / "loopback" / f"{board}.toml"
    assert capsys.readouterr().out.strip() == str(record)
    assert record.with_suffix(".bit").read_bytes() == path.read_bytes()
    status, rows = found(capsys, "loopback")
    assert status == 0
    [row] = [row for row in rows if row["board"] == board]
    assert (row["kind"], row["problems"]) == ("real", [])
    assert (
        row["provenance"] == "built 2024/05/17 12:00:00 by Vivado 2023.2, from fabric_wrapper.bit"
    )
    # What generates emulation images does not take it away, even when the sources have changed.
    source = root / "overlays" / "loopback" / "rtl" / "loopback.sv"
    source.write_text(source.read_text() + "// changed\n")
    assert main(["generate", "loopback"]) == 0
    assert record.with_suffix(".bit").read_bytes() == path.read_bytes()
    status, rows = found(capsys, "loopback")
    assert status == 1
    [row] = [row for row in rows if row["problems"]]
    assert row["board"] == board
    assert "digest does not match" in row["problems"][0]


def test_an_xsa_is_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "fabric.xsa"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fabric_wrapper.bit", build_bit(built()))
        archive.writestr("fabric.hwh", described())
        archive.writestr("sysdef.xml", "<x/>")
    assert main(["bitstreams", "add", "loopback", "zcu104", str(path)]) == 0
    status, rows = found(capsys, "loopback")
    assert status == 0
    assert "from fabric.xsa" in next(r for r in rows if r["board"] == "zcu104")["provenance"]


def test_a_stranger_does_not_write_the_record(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = laid(
        tmp_path, built("arty-a7", date='x"\\', time='"\ndigest = "'.replace("\n", "")), None
    )
    path = path.rename(tmp_path / 'a"\nschema = 2.bit')
    assert main(["bitstreams", "add", "loopback", "arty-a7", str(path)]) == 0
    status, rows = found(capsys, "loopback")
    assert status == 0
    origin = next(row["provenance"] for row in rows if row["board"] == "arty-a7")
    assert origin == 'built x"\\ "digest = " by Vivado 2023.2, from a"_schema = 2.bit'


def test_a_board_without_a_processor_needs_no_hwh(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = laid(tmp_path, built("arty-a7"), None)
    assert main(["bitstreams", "add", "loopback", "arty-a7", str(path)]) == 0
    assert found(capsys)[0] == 0


def test_the_list_is_for_people_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bitstreams", "list", "dial"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("emulation") >= 5
    assert "zcu104" in printed
    assert "loopback" not in printed


# ---------------------------------------------------------------------- what is refused

OTHER = 0x0373_8093  # xczu9eg


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"part": "xczu9eg-ffvb1156-2-e"}, "part: expected xczu7ev-ffvc1156-2-e, found xczu9eg"),
        ({"payload": payload(OTHER)}, "IDCODE packet: expected 0x04730093, found 0x03738093"),
        ({"payload": payload(0x0473_0093, crc=False)}, "CRC packets: expected 1 or more, found 0"),
        ({"payload": payload(0x0473_0093, 0xDEAD_BEEF)}, "USR_ACCESS, first digits of the digest"),
        ({"design": "system_wrapper"}, "design name: expected fabric or fabric_wrapper"),
        (
            {"attributes": (("Version", "2019.1"),)},
            "tool version in the .hwh: expected 2019.1, found 2023.2",
        ),
        ({"date": "2024/05/16"}, "build time of the .hwh: expected not after the .bit's"),
        ({"payload": b"\0" * 4096}, "has no sync word"),
    ],
    ids=["part", "idcode", "crc", "digest", "design", "tool", "time", "no-sync-word"],
)
def test_a_bit_that_is_something_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    path = laid(tmp_path, built(**changes), described())
    before = find_overlay("loopback").image("zcu104")
    told = refused(capsys, "zcu104", path)
    assert says in told
    assert find_overlay("loopback").image("zcu104") == before


def test_an_image_of_another_board_is_wrong_in_every_respect(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = refused(capsys, "zcu104", laid(tmp_path, built("kv260"), described("kv260")))
    assert "part: expected xczu7ev-ffvc1156-2-e, found xck26" in told
    assert "IDCODE packet: expected 0x04730093, found 0x04724093" in told


def test_a_header_that_lies(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Somebody wrote the right part over a wrong one: the packets tell."""
    lie = built("kv260", part="xczu7ev-ffvc1156-2-e")
    told = refused(capsys, "zcu104", laid(tmp_path, lie, described()))
    assert "IDCODE packet: expected 0x04730093, found 0x04724093" in told
    assert "part:" not in told


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda text: text.replace("0xA040", "0xA048"),
            "address of axi_dma_0: expected 0xa0400000",
        ),
        (
            lambda text: text.replace(
                '"c_sg_length_width" VALUE="26"', '"c_sg_length_width" VALUE="14"'
            ),
            "LENGTH of 14 bits",
        ),
        (
            lambda text: text.replace('"c_include_sg" VALUE="0"', '"c_include_sg" VALUE="1"'),
            "found scatter gather",
        ),
        (
            lambda text: text.replace('INSTANCE="axi_dma_0"', 'INSTANCE="axi_dma_1"'),
            "address of axi_dma_0: expected 0xa0400000, 0x10000 bytes, found not there",
        ),
        (lambda text: text[:10_000], "is not well-formed XML"),
        (
            lambda text: text.replace("<EDKSYSTEM", '<!DOCTYPE x [<!ENTITY a "b">]><EDKSYSTEM'),
            "document type",
        ),
    ],
    ids=["address", "length", "scatter-gather", "no-dma", "truncated", "entities"],
)
def test_a_hwh_that_is_something_else(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, change: Callable[[str], str], says: str
) -> None:
    assert change(described()) != described()
    assert says in refused(capsys, "zcu104", laid(tmp_path, built(), change(described())))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a .bit file"),
        (b"<html>404</html>", "it looks like a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (build_bit(BitFile("a", "b", "c", "d", b"\0" * 64))[:-4], "is cut short"),
    ],
    ids=["empty", "web-page", "lfs", "truncated"],
)
def test_a_file_that_is_no_bitstream(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, says: str
) -> None:
    assert says in refused(capsys, "zcu104", laid(tmp_path, content, described()))


def test_a_bin_in_a_bit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    swapped = replace(built(), payload=to_bin(built()))
    told = refused(capsys, "zcu104", laid(tmp_path, swapped, described()))
    assert "sync word: expected AA995566, high byte first" in told


def test_a_missing_hwh_and_a_wrong_board(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = laid(tmp_path, built(), None)
    assert "must lie beside the .bit" in refused(capsys, "zcu104", path)
    path.with_suffix(".hwh").write_text(described())
    assert "unknown board" in refused(capsys, "zcu999", path)
    path.rename(tmp_path / "x.xsa")
    assert "is no readable .xsa" in refused(capsys, "zcu104", tmp_path / "x.xsa")


def test_an_overlay_that_is_not_made_for_the_board(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = laid(tmp_path, built("arty-a7"), None)
    assert main(["bitstreams", "add", "jet_tagger", "basys3", str(path)]) == 2
    assert "jet_tagger is not made for 'basys3'" in capsys.readouterr().err


# ---------------------------------------------------------------------- what lies there


def test_everything_that_lies_there_is_verified(
    capsys: pytest.CaptureFixture[str], root: Path
) -> None:
    status, rows = found(capsys)
    assert status == 0
    folder = root / "bitstreams"
    assert len(rows) == len(list(folder.glob("*/*.toml"))) > 10
    (folder / "dial" / "zcu104.hwh").write_text("<x/>")
    (folder / "loopback" / "kv260.toml").unlink()
    shutil.copy(folder / "dial" / "kv260.bit", folder / "dial" / "zybo.bit")
    shutil.copy(folder / "jet_tagger" / "kv260.bit", folder / "jet_tagger" / "zcu104.bit")
    status, rows = found(capsys)
    assert status == 1
    problems = {
        f"{row['overlay']} {row['board']}": row["problems"][0] for row in rows if row["problems"]
    }
    assert set(problems) == {"dial zcu104", "loopback kv260", "dial zybo", "jet_tagger zcu104"}
    assert "sha256 does not match" in problems["dial zcu104"]
    assert "there is no image" in problems["loopback kv260"]
    assert "belongs to no board of the manifest" in problems["dial zybo"]
    assert main(["bitstreams", "list"]) == 0  # listing is not judging
    assert "wrong" in capsys.readouterr().out


def test_an_unknown_overlay_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bitstreams", "verify", "nonsense"]) == 2
    assert "unknown overlay" in capsys.readouterr().err


def test_a_record_that_tells_another_story(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    """Whoever can change an image can change its record: so what it holds is looked at, too."""
    path = root / "bitstreams" / "loopback" / "zcu104.bit"
    content = parse_bit(path.read_bytes())
    changed = build_bit(replace(content, part="xczu9eg-ffvb1156-2-e"))
    record = path.with_suffix(".toml")
    before, after = (hashlib.sha256(data).hexdigest() for data in (path.read_bytes(), changed))
    record.write_text(record.read_text().replace(before, after))
    path.write_bytes(changed)
    status, rows = found(capsys, "loopback")
    assert status == 1
    assert "part: expected xczu7ev" in next(row["problems"][0] for row in rows if row["problems"])
