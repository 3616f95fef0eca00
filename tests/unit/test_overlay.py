"""Manifests are parsed strictly, stay inside overlays/, and their digest covers what is built."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from harness import overlay as overlay_module
from harness.errors import ImageError, OverlayError
from harness.generate.write import generate
from harness.overlay import Overlay, find_overlay, list_overlays, project_root

RTL = "module loopback; endmodule\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the real library and one overlay."""
    source = project_root() / "overlays"
    shutil.copytree(source / "lib", tmp_path / "overlays" / "lib")
    shutil.copytree(source / "loopback", tmp_path / "overlays" / "loopback")
    return tmp_path


def manifest(root: Path) -> Path:
    return root / "overlays" / "loopback" / "overlay.toml"


def edit(root: Path, old: str, new: str) -> None:
    text = manifest(root).read_text()
    assert old in text
    manifest(root).write_text(text.replace(old, new, 1))


def load(root: Path) -> Overlay:
    return find_overlay("loopback", root)


def test_every_overlay_of_the_project_parses() -> None:
    assert {"loopback", "dial", "jet_tagger"} <= set(list_overlays())
    for name in list_overlays():
        assert find_overlay(name).name == name


def test_values_arrive(root: Path) -> None:
    overlay = load(root)
    assert overlay.clock_hz == 200_000_000
    assert overlay.boards == ("zcu104", "kv260", "pynq-z2", "arty-a7", "basys3")
    assert (overlay.input.beat_bytes, overlay.input.event_bytes) == (8, 8)
    assert overlay.accelerator.sources == ("rtl/loopback.sv",)
    assert (overlay.accelerator.latency_cycles, overlay.bench.queue_depth) == (1, 512)


def test_the_dials_registers_arrive() -> None:
    registers = find_overlay("dial").accelerator.registers
    assert [(item.name, item.offset, item.reset) for item in registers] == [
        ("INITIATION_INTERVAL", 0x0, 1),
        ("DELAY", 0x4, 1),
        ("JITTER_MASK", 0x8, 0),
        ("SEED", 0xC, 1),
    ]


BOARDS = 'boards = ["zcu104", "kv260", "pynq-z2", "arty-a7", "basys3"]'


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("clock_hz", "clok_hz", "clok_hz", "did you mean 'clock_hz'"),
        ("module =", "modul =", "accelerator.modul", "did you mean 'module'"),
        ("width_bits = 64", "width_bit = 64", "input.width_bit", "did you mean 'width_bits'"),
        ("width_bits = 64", "width_bits = 48", "input.width_bits", "must be one of 32"),
        ("width_bits = 64", 'width_bits = "64"', "input.width_bits", "whole number"),
        ("clock_hz = 200_000_000", "clock_hz = 2e8", "clock_hz", "whole number"),
        ("clock_hz = 200_000_000", "clock_hz = true", "clock_hz", "whole number"),
        ("clock_hz = 200_000_000", "clock_hz = nan", "clock_hz", "whole number"),
        ("clock_hz = 200_000_000", "clock_hz = 0", "clock_hz", "must lie in"),
        ("clock_hz = 200_000_000", f"clock_hz = {2**63}", "clock_hz", "must lie in"),
        ('summary = "', 'summary = "a\\u001b[31m', "summary", "printable"),
        ("schema = 1", "schema = 2", "schema", "schema 1"),
        ("schema = 1", "", "schema", "missing"),
        ('name = "loopback"', 'name = "Loop back"', "name", "lower_case"),
        ('name = "loopback"', 'name = "dial"', "name", "folder 'loopback'"),
        ('version = "1.0.0"', 'version = "1"', "version", "major.minor.patch"),
        (BOARDS, 'boards = "zcu104"', "boards", "list"),
        (BOARDS, "boards = [1]", "boards", "string"),
        (BOARDS, "boards = []", "boards", "no board"),
        ('"kv260", ', '"zcu104", ', "boards", "twice"),
        ('["rtl/loopback.sv"]', '"rtl/loopback.sv"', "accelerator.sources", "list"),
        ('["rtl/loopback.sv"]', "[]", "accelerator.sources", "no file"),
        ("rtl/loopback.sv", "rtl/loopback.py", "accelerator.sources", ".sv"),
        ("rtl/loopback.sv", "rtl/other.sv", "accelerator.sources", "does not exist"),
        ("rtl/loopback.sv", "/etc/passwd.sv", "accelerator.sources", "plain relative"),
        ("rtl/loopback.sv", "../dial/rtl/dial.sv", "accelerator.sources", "plain relative"),
        ("rtl/loopback.sv", "rtl/$(id).sv", "accelerator.sources", "plain relative"),
        ("values = 4", "values = 5", "input.values", "do not fit"),
        ("width = 16,", "width = 0,", "input.format", "width 0"),
        ("event_rows = 4096", "event_rows = 4095", "bench.event_rows", "power of two"),
        ("event_rows = 4096", "event_rows = 524288", "bench.event_rows", "must lie in"),
        ("latency_cycles = 1", "latency_cycles = 0", "accelerator.latency_cycles", "must lie in"),
        ("[bench]", "[bench]\nin_flight = 1\n[bench]", "", "twice"),
        ("schema = 1", "schema = ", "", "not valid TOML"),
    ],
)
def test_mistakes_are_named(root: Path, old: str, new: str, key: str, words: str) -> None:
    edit(root, old, new)
    with pytest.raises(OverlayError) as caught:
        load(root)
    message = str(caught.value)
    assert str(manifest(root)) in message
    assert f"{manifest(root)}: {key}" in message if key else True
    assert words in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('offset = 0x2\naccess = "rw"', "multiple of 4"),
        ('offset = 0x10000\naccess = "rw"', "must lie in"),
        ('offset = 0x0\naccess = "wx"', "known words"),
        ('offset = 0x0\naccess = "rw"\nreset = 4294967296', "must lie in"),
        ('offset = 0x0\naccess = "rw"\nmost = 4\nreset = 5', "must lie in"),
        ('offset = 0x0\naccess = "rw"\nleast = 5\nreset = 5\nmost = 4', "must lie in"),
        ('offset = 0x0\naccess = "rw"\nleast = 1\nreset = 1', "needs a `most`"),
        ('offset = 0x0\naccess = "ro"\nmost = 4', "keeps nothing"),
    ],
)
def test_register_mistakes_are_named(root: Path, line: str, words: str) -> None:
    register = f'[[accelerator.registers]]\nname = "X"\n{line}\ndescription = "x"\n\n[input]'
    edit(root, "[input]", register)
    with pytest.raises(OverlayError, match=words):
        load(root)


def test_bounds_of_registers_count_in_the_digest_where_there_are_any(root: Path) -> None:
    register = '[[accelerator.registers]]\nname = "X"\noffset = 0\naccess = "rw"\n'
    edit(root, "[input]", f'{register}description = "x"\n\n[input]')
    free = load(root)
    edit(root, 'description = "x"', 'description = "x"\nmost = 68')
    bounded = load(root)
    assert bounded.digest != free.digest
    assert [free.accelerator.registers[0].kept(value) for value in (0, 69, 1 << 31)] == [
        0, 69, 1 << 31,
    ]  # fmt: skip
    assert [bounded.accelerator.registers[0].kept(value) for value in (0, 69)] == [0, 68]


def test_a_link_out_of_the_tree_is_refused(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.sv"
    outside.write_text(RTL)
    source = root / "overlays" / "loopback" / "rtl" / "loopback.sv"
    source.unlink()
    source.symlink_to(outside)
    with pytest.raises(OverlayError, match="by a link"):
        load(root)


def test_an_unknown_overlay_is_named_with_the_nearest(root: Path) -> None:
    with pytest.raises(OverlayError, match=r"did you mean 'loopback'"):
        find_overlay("lopback", root)
    for name in ("../loopback", "/etc", "", "loopback/../loopback"):
        with pytest.raises(OverlayError, match="unknown overlay"):
            find_overlay(name, root)


def test_root_comes_from_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_ROOT", str(root))
    assert list_overlays() == ("loopback",)
    monkeypatch.setenv("HARNESS_ROOT", str(root / "overlays"))
    with pytest.raises(OverlayError, match="HARNESS_ROOT"):
        project_root()


def test_root_of_an_installed_wheel(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = root / "site-packages" / "harness"
    shutil.copytree(root / "overlays", package / "_data" / "overlays")
    monkeypatch.setattr("harness.overlay_files.__file__", str(package / "overlay_files.py"))
    assert project_root() == package / "_data"


def test_digest_sees_what_is_built_and_nothing_else(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = load(root).digest
    assert len(digest) == 32
    assert int(digest, 16) >= 0
    same = [("# Returns", "# returns"), ("beats = 1\n", "")]  # a comment, a default spelt out
    for old, new in same:
        edit(root, old, new)
        assert load(root).digest == digest
    (root / "overlays/loopback/rtl/overlay_pkg.sv").write_text("generated")
    assert load(root).digest == digest

    seen = {digest}
    edit(root, "latency_cycles = 1", "latency_cycles = 2")
    seen.add(load(root).digest)
    for file in ("loopback/rtl/loopback.sv", "lib/rtl/bench/stream_bench.sv"):
        path = root / "overlays" / file
        path.write_text(path.read_text() + "\n")
        seen.add(load(root).digest)
    (root / "overlays/lib/rtl/bench/more.sv").write_text("")
    seen.add(load(root).digest)
    monkeypatch.setattr(overlay_module, "GENERATOR_VERSION", 999)
    seen.add(load(root).digest)
    assert len(seen) == 6


def test_digest_is_computed_once(root: Path) -> None:
    overlay = load(root)
    digest = overlay.digest
    source = root / "overlays" / "loopback" / "rtl" / "loopback.sv"
    source.write_text(RTL)
    assert overlay.digest == digest
    assert load(root).digest != digest


def test_sources_are_in_compilation_order(root: Path) -> None:
    generate(load(root))
    names = [path.name for path in load(root).rtl_sources()]
    packages = [name for name in names if name.endswith("_pkg.sv")]
    assert names[: len(packages)] == packages == ["overlay_pkg.sv", "bench_pkg.sv"]
    assert names[-2:] == ["loopback.sv", "fabric_top.v"]
    bench = sorted(path.name for path in (root / "overlays/lib/rtl/bench").glob("*.sv"))
    assert sorted(names) == sorted([*bench, "overlay_pkg.sv", "loopback.sv", "fabric_top.v"])
    assert [path.parent.name for path in load(root).waivers] == ["bench", "uart"]


def test_stale_generated_sources_are_refused(root: Path) -> None:
    generate(load(root))
    source = root / "overlays" / "loopback" / "rtl" / "loopback.sv"
    source.write_text(source.read_text() + "\n")
    with pytest.raises(
        OverlayError, match=r"overlay_pkg.sv: is stale; .*harness generate loopback"
    ):
        load(root).rtl_sources()
    (root / "overlays/loopback/rtl/overlay_pkg.sv").unlink()
    with pytest.raises(OverlayError, match="harness generate loopback"):
        load(root).rtl_sources()


def test_image_is_checked_against_its_record(root: Path) -> None:
    overlay = load(root)
    with pytest.raises(ImageError, match=r"there is no image.*harness generate loopback"):
        overlay.image("zcu104")
    generate(overlay)
    image = overlay.image("zcu104")
    assert image.digest == overlay.digest
    assert image.bit_sha256 == hashlib.sha256(image.bit.read_bytes()).hexdigest()
    assert "no real bitstream has been built" in image.provenance
    with pytest.raises(OverlayError, match="did you mean 'zcu104'"):
        overlay.image("zcu14")


@pytest.mark.parametrize("suffix", [".bit", ".hwh"])
def test_a_changed_image_is_refused(root: Path, suffix: str) -> None:
    overlay = load(root)
    generate(overlay)
    path = overlay.image("kv260").bit.with_suffix(suffix)
    path.write_bytes(path.read_bytes() + b" ")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ImageError, match=f"{path.name}: sha256 does not match; found .*{found}"):
        overlay.image("kv260")


def test_an_image_of_another_digest_is_refused(root: Path) -> None:
    old = load(root)
    generate(old)
    edit(root, "latency_cycles = 1", "latency_cycles = 2")
    new = load(root)
    with pytest.raises(ImageError) as caught:
        new.image("zcu104")
    message = str(caught.value)
    assert old.digest in message
    assert new.digest in message
    assert "harness generate loopback" in message


def test_a_broken_record_is_refused(root: Path) -> None:
    overlay = load(root)
    generate(overlay)
    record = overlay.image("zcu104").toml
    text = record.read_text()
    record.write_text(text.replace("digest", "digets", 1))
    with pytest.raises(ImageError, match="did you mean 'digest'"):
        overlay.image("zcu104")
    record.write_text(text.replace('board = "zcu104"', 'board = "kv260"'))
    with pytest.raises(ImageError, match="board does not match"):
        overlay.image("zcu104")
