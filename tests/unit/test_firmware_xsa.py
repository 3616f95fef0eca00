"""An `.xsa` is a stranger's zip file: what is taken out of it, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from harness.errors import ImageError
from harness.firmware import xsa

HWH = "<EDKSYSTEM/>"


def archive(path: Path, members: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def test_the_bitstream_and_the_top_description_come_out(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.xsa",
        {
            "xsa.json": "{}",
            "design_1_wrapper.bit": b"bits",
            "design_1.hwh": HWH,
            "design_1_smartconnect_0_0.hwh": "<OTHER/>",
            "drivers/x/src/x.c": "int x;",
        },
    )
    found = xsa.read_xsa(path)
    assert found.bit == b"bits"
    assert found.hwh_name == "design_1.hwh"
    assert found.hwh == HWH
    assert sorted(tmp_path.iterdir()) == [path], "nothing is unpacked to disk"


@pytest.mark.parametrize(
    "name", ["../evil.bit", "/etc/evil.bit", "a/../../evil.bit", "C:\\evil.bit", "..\\evil.bit"]
)
def test_a_name_that_leaves_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "a.xsa", {name: b"bits", "design_1.hwh": HWH})
    with pytest.raises(ImageError, match="points outside"):
        xsa.read_xsa(path)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xsa"
    with zipfile.ZipFile(path, "w") as target:
        link = zipfile.ZipInfo("top.bit")
        link.external_attr = 0o120777 << 16
        target.writestr(link, "/etc/passwd")
        target.writestr("top.hwh", HWH)
    with pytest.raises(ImageError, match="points outside"):
        xsa.read_xsa(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("second", ["top.bit", "TOP.bit"])
def test_a_name_twice_is_refused(tmp_path: Path, second: str) -> None:
    path = tmp_path / "a.xsa"
    with zipfile.ZipFile(path, "w") as target:
        for name in ("top.bit", second, "top.hwh"):
            target.writestr(name, HWH)
    with pytest.raises(ImageError, match="a name twice"):
        xsa.read_xsa(path)


def test_a_bomb_ends_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(xsa.MAX_BYTES, ".bit", 1 << 20)
    path = archive(tmp_path / "a.xsa", {"top.bit": bytes(4 << 20), "top.hwh": HWH})
    assert path.stat().st_size < 100_000
    with pytest.raises(ImageError, match="more than 1048576 bytes"):
        xsa.read_xsa(path)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"top.hwh": HWH}, "holds 0 bitstreams"),
        ({"a.bit": b"", "b.bit": b"", "a.hwh": HWH}, "holds 2 bitstreams"),
        ({"top.bit": b""}, "holds 0 .hwh"),
        ({"top.bit": b"", "a.hwh": HWH, "b.hwh": HWH}, "holds 2 .hwh"),
        ({"top.bit": b"", "top.hwh": b"\xff\xfe"}, "not UTF-8"),
    ],
)
def test_an_incomplete_archive_is_named(
    tmp_path: Path, members: dict[str, bytes | str], message: str
) -> None:
    with pytest.raises(ImageError, match=message):
        xsa.read_xsa(archive(tmp_path / "a.xsa", members))


def test_a_damaged_member_is_found_by_its_crc(tmp_path: Path) -> None:
    path = tmp_path / "a.xsa"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        target.writestr("top.bit", b"A" * 1000)
        target.writestr("top.hwh", HWH)
    data = bytearray(path.read_bytes())
    data[data.index(b"AAAA") + 500] ^= 1
    path.write_bytes(data)
    with pytest.raises(ImageError, match="no readable"):
        xsa.read_xsa(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"<html>404</html>"])
def test_what_is_no_zip_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xsa"
    path.write_bytes(content)
    with pytest.raises(ImageError, match="no readable"):
        xsa.read_xsa(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        xsa.read_xsa(tmp_path / "none.xsa")
