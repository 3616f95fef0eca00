"""`harness validate`: sound firmware passes; of broken one, exactly what is broken is named."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from harness.bitfile import build_bit
from harness.cli import main
from harness.emulation.board import VirtualBoard
from harness.emulation.fabric import Fabric
from harness.overlay import find_overlay, project_root
from harness.registers import REGISTER
from harness.targets import virtual
from harness.validate.steps import STEPS
from tests.emulation import broken_rtl as broken
from tests.vivado import built, described, payload

pytestmark = pytest.mark.xdist_group("validate")

QUICK = ("--soak", "100 us")
LOOPBACK = find_overlay("loopback")
Deploy = Callable[[Callable[[], Fabric]], None]


@pytest.fixture(scope="session")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fabric of loopback with all faults in it, each behind a switch."""
    return broken.broken_fabric(LOOPBACK, broken.LOOPBACK, tmp_path_factory.mktemp("faulty"))


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Have the virtual board run another fabric than its image stands for."""

    def deployed(make: Callable[[], Fabric]) -> None:
        monkeypatch.setattr(virtual, "fabric_of", lambda *_: make())

    return deployed


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder that a test may spoil."""
    copied = tmp_path / "root"
    for name in ("overlays", "bitstreams"):
        shutil.copytree(project_root() / name, copied / name)
    monkeypatch.setenv("HARNESS_ROOT", str(copied))
    return copied


class Ran:
    """What a validation came to."""

    def __init__(self, status: int, certificate: dict[str, Any]) -> None:
        self.status = status
        self.certificate = certificate
        self.steps: dict[str, dict[str, Any]] = {s["name"]: s for s in certificate["steps"]}

    @property
    def broken(self) -> dict[str, str]:
        """Steps that did not hold, and how."""
        return {
            n: s["outcome"]
            for n, s in self.steps.items()
            if s["outcome"] not in {"pass", "skipped"}
        }

    def evidence(self, name: str) -> str:
        step = self.steps[name]
        told = [
            f"{c['what']}: expected {c['expected']}, found {c['found']}"
            for c in step["checks"]
            if not c["holds"]
        ]
        return "; ".join([*told, step["reason"]])


def ran(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    capsys.readouterr()
    status = main(["validate", *arguments, *QUICK, "--json"])
    return Ran(status, json.loads(capsys.readouterr().out))


# ---------------------------------------------------------------------- sound firmware


@pytest.mark.parametrize(
    ("name", "board"), [("loopback", "pynq-z2"), ("dial", "kv260"), ("jet_tagger", "zcu104")]
)
def test_sound_firmware_passes_every_step(
    capsys: pytest.CaptureFixture[str], name: str, board: str
) -> None:
    found = ran(capsys, name, "--board", board)
    assert (found.status, found.broken) == (0, {})
    skipped = {name for name, step in found.steps.items() if step["outcome"] == "skipped"}
    assert skipped == {"file.packets", "counters", "rate.random", "temperature"}
    assert all(found.steps[name]["reason"] for name in skipped)
    assert all(
        s["summary"] and s["took_ns"] > 0 for n, s in found.steps.items() if n not in skipped
    )
    content = found.certificate
    assert (
        content["overlay"]["digest"] == content["identity"]["digest"] == find_overlay(name).digest
    )
    assert content["image"]["bit_sha256"]
    assert content["time_base"] == "simulated fabric"
    assert content["facts"]["started_utc"].endswith("Z")
    assert content["facts"]["versions"]["pynq"]
    assert content["weights"]["trigger_class"] is True
    assert content["weights"]["off_chip_bytes_per_inference"] == 0
    if name == "jet_tagger":
        assert content["weights"]["bytes"] == 3409
        numbers = {k: v["value"] for k, v in found.steps["latency"]["numbers"].items()}
        assert numbers == {"latency_min_cycles": 26, "latency_max_cycles": 26}
        assert found.steps["interval"]["numbers"]["interval_max_cycles"]["value"] == 4
        assert found.steps["rate"]["numbers"]["events"]["value"] == 5000


def test_weights_in_memory_are_loaded_counted_and_no_trigger(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There is no contract to hold, and every event costs what the layout says."""
    found = ran(capsys, "weight_streaming", "--board", "pynq-z2")
    assert (found.status, found.broken) == (0, {})
    skipped = {name for name, step in found.steps.items() if step["outcome"] == "skipped"}
    assert skipped == {"file.packets", "counters", "rate", "rate.random", "temperature"}
    assert "there is no contract" in found.steps["latency"]["summary"]
    laid = find_overlay("weight_streaming").streamed
    assert laid is not None
    assert found.certificate["weights"] == {
        "residency": "off-chip",
        "bytes": 3409,
        "off_chip_bytes_per_inference": laid.image_bytes,
        "basis": "counted in the run",
        "trigger_class": False,
        "trigger_class_reason": "weights are fetched from external memory",
    }


def test_a_full_validation_also_holds_random_arrivals_to_theory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = ran(capsys, "loopback", "--level", "full")
    assert (found.status, found.broken) == (0, {})
    assert found.steps["rate.random"]["numbers"]["theory_agrees"]["value"] >= 10
    assert len(found.steps["outputs.fresh"]["numbers"]) == 8


def test_fresh_inputs_are_fresh_and_can_be_had_again(capsys: pytest.CaptureFixture[str]) -> None:
    def seeds(*arguments: str) -> list[int]:
        numbers = ran(capsys, "loopback", *arguments).steps["outputs.fresh"]["numbers"]
        return [item["value"] for item in numbers.values()]

    assert seeds("--seed", "5") == seeds("--seed", "5")
    assert seeds() != seeds()


# ---------------------------------------------------------------------- broken firmware

R, A = "registers", "accelerator"


@pytest.mark.parametrize(
    ("where", "fault", "outcomes", "says"),
    [
        (R, broken.READ_CLEARS, {"registers.read": "fail"}, "COMPLETED: 0x40 0x0 0x0 0x0"),
        (
            R,
            broken.SCRATCH_STUCK,
            {"registers.write": "fail"},
            "0xffffffff came back as 0xffffff7f",
        ),
        (R, broken.HOLES_ANSWER, {"registers.unmapped": "fail"}, "without an error"),
        (R, broken.COUNTER_WRAPS, {"rate": "invalid"}, "completed"),
        (R, broken.ALIASED, {"registers.write": "fail"}, "DEADLINE"),
        (
            R,
            broken.MEMORY_DEAF,
            {
                "registers.memory": "fail",
                "outputs.golden": "fail",
                "outputs.fresh": "fail",
                "outputs.repeated": "fail",
            },
            "GOLDEN: expected kept, found word",
        ),
        (
            A,
            broken.BIT_STUCK,
            {
                "outputs.golden": "fail",
                "outputs.fresh": "fail",
                "outputs.repeated": "fail",
                "rate": "fail",
            },
            "bit 5 is always 1",
        ),
        (
            A,
            broken.HALF_SPEED,
            {"interval": "fail", "rate": "fail"},
            "expected 1 cycles, found 2 cycles",
        ),
        (
            A,
            broken.FROM_STORE,
            {"outputs.fresh": "fail", "outputs.repeated": "fail", "rate": "fail"},
            "random vectors 1: outputs",
        ),
        (
            A,
            broken.SECOND_WRONG,
            {"outputs.repeated": "fail"},
            "each twice in a row: outputs: expected no beat differs, found",
        ),
        (A, broken.LATE, {"latency": "fail", "rate": "fail"}, "expected 1 cycles, found 2 cycles"),
        (
            A,
            broken.DEAD,
            {"outputs.golden": "fail"},
            "golden vectors: events that came out: expected 1024, found 0",
        ),
    ],
    ids=[
        "read-clears",
        "stuck-register-bit",
        "holes-answer",
        "counter-wraps",
        "aliased-registers",
        "deaf-memory",
        "stuck-output-bit",
        "interval-doubled",
        "answers-from-a-store",
        "second-of-two-wrong",
        "late",
        "dead",
    ],
)
def test_a_fault_is_found_where_it_is_and_nowhere_else(
    capsys: pytest.CaptureFixture[str],
    deploy: Deploy,
    faulty: Path,
    where: str,
    fault: int,
    outcomes: dict[str, str],
    says: str,
) -> None:
    deploy(lambda: broken.opened(faulty, LOOPBACK, **{where: fault}))
    found = ran(capsys, "loopback")
    assert found.broken == outcomes
    assert says in found.evidence(next(iter(outcomes)))
    assert found.status == (3 if "invalid" in outcomes.values() else 1)


def test_one_flipped_bit_of_one_weight_is_found(
    capsys: pytest.CaptureFixture[str], deploy: Deploy, tmp_path: Path
) -> None:
    """The least that can be wrong with a network: identity, timing and rate are all right."""
    overlay = find_overlay("jet_tagger")
    library = broken.broken_fabric(overlay, broken.ONE_WEIGHT, tmp_path)
    deploy(lambda: broken.opened(library, overlay))
    found = ran(capsys, "jet_tagger")
    outputs = dict.fromkeys(("outputs.golden", "outputs.fresh", "outputs.repeated", "rate"), "fail")
    assert (found.status, found.broken) == (1, outputs)
    assert found.steps["identity"]["outcome"] == "pass"
    told = found.evidence("outputs.golden")
    assert "128 of 1024 beats differ, first in event 12" in told
    assert "value 0, value 1, value 2, value 3, value 4" in told


def test_settings_that_are_not_as_after_a_load_are_found(
    capsys: pytest.CaptureFixture[str], deploy: Deploy, faulty: Path
) -> None:
    def used() -> Fabric:
        fabric = broken.opened(faulty, LOOPBACK)
        fabric.write(REGISTER["DISTINCT"].offset, np.array([64], np.uint32))
        return fabric

    deploy(used)
    found = ran(capsys, "loopback")
    assert (found.status, found.broken) == (1, {"registers.reset": "fail"})
    assert "DISTINCT: expected 0x1, found 0x40" in found.evidence("registers.reset")


# ---------------------------------------------------------------------- wrong firmware


def test_another_overlay_under_the_right_name(
    capsys: pytest.CaptureFixture[str], deploy: Deploy
) -> None:
    dial = find_overlay("dial")
    library = virtual.build_fabric(dial)
    deploy(lambda: broken.opened(library, dial))
    found = ran(capsys, "loopback")
    assert (found.status, found.broken) == (1, {"identity": "fail"})
    assert dial.digest in found.evidence("identity")
    assert LOOPBACK.digest in found.evidence("identity")
    assert "bytes of an input beat: expected 8, found 4" in found.evidence("identity")
    assert found.steps["outputs.golden"]["reason"] == "not without identity"


def test_stale_firmware(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    """The sources have moved on, the image has not."""
    source = root / "overlays" / "loopback" / "rtl" / "loopback.sv"
    source.write_text(source.read_text() + "// changed\n")
    found = ran(capsys, "loopback")
    assert (found.status, found.broken) == (1, {"file.record": "fail"})
    assert "harness generate loopback" in found.evidence("file.record")
    assert find_overlay("loopback").digest in found.evidence("file.record")
    assert found.steps["load"]["reason"] == "not without file.record"
    assert found.steps["rate"]["reason"] == "not without file.record"


@pytest.mark.parametrize("factor", [Fraction(107, 100), Fraction(93, 100)])
def test_a_clock_that_is_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, factor: Fraction
) -> None:
    """Nothing but time can tell: dividers and counts are as they should be."""
    true_hz = VirtualBoard.pl_clock_hz.fget  # type: ignore[attr-defined]

    def off(board: VirtualBoard) -> Fraction | None:
        hz = true_hz(board)
        return None if hz is None else hz * factor

    monkeypatch.setattr(VirtualBoard, "pl_clock_hz", property(off))
    found = ran(capsys, "loopback")
    expected = {"clock": "fail"} | ({"rate": "fail"} if factor < 1 else {})
    assert (found.status, found.broken) == (1, expected)
    measured_hz = found.steps["clock"]["numbers"]["clock_measured_hz"]["value"]
    assert measured_hz == pytest.approx(float(200_000_000 * factor), rel=1e-5)
    assert "clock measured, Hz: expected 200000000" in found.evidence("clock")


def test_a_clock_that_stands(
    capsys: pytest.CaptureFixture[str], deploy: Deploy, faulty: Path
) -> None:
    deploy(lambda: broken.opened(faulty, LOOPBACK, broken.CLOCK_STANDS))
    found = ran(capsys, "loopback")
    assert found.status == 4
    assert found.broken == {"clock": "error"}
    assert "the fabric clock stands still" in found.evidence("clock")
    assert found.steps["latency"]["outcome"] == "pass"  # cycles do not need a clock


# ---------------------------------------------------------------------- wrong files


def spoil_hwh(root: Path, change: Callable[[str], str]) -> None:
    """Change a .hwh and, as somebody careful would, its record."""
    path = root / "bitstreams" / "loopback" / "zcu104.hwh"
    overlay = find_overlay("loopback")
    before = overlay.image("zcu104").hwh_sha256
    path.write_text(change(path.read_text()))
    after = hashlib.sha256(path.read_bytes()).hexdigest()
    record = path.with_suffix(".toml")
    record.write_text(record.read_text().replace(str(before), after))


def test_the_hwh_of_another_build(capsys: pytest.CaptureFixture[str], root: Path) -> None:
    spoil_hwh(root, lambda text: text.replace("Jan 01", "Jan 02"))
    found = ran(capsys, "loopback")
    assert (found.status, found.broken) == (1, {"hwh.build": "fail"})
    assert "SHA-256 of the .hwh" in found.evidence("hwh.build")
    assert found.steps["load"]["reason"] == "not without hwh.build"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("0xA040", "0xA048", "address of axi_dma_0: expected 0xa0400000"),
        ('"c_sg_length_width" VALUE="26"', '"c_sg_length_width" VALUE="14"', "LENGTH of 14 bits"),
        (
            '"c_m_axis_mm2s_tdata_width" VALUE="64"',
            '"c_m_axis_mm2s_tdata_width" VALUE="32"',
            "found direct, 4 bytes a beat in",
        ),
        (
            'BUSNAME="axi_dma_0_M_AXIS_MM2S" NAME="s_axis_dma"',
            'BUSNAME="elsewhere" NAME="s_axis_dma"',
            "stream from axi_dma_0/M_AXIS_MM2S",
        ),
    ],
    ids=["address", "length-register", "dma-width", "stream"],
)
def test_a_hwh_that_is_not_of_the_manifest(
    capsys: pytest.CaptureFixture[str], root: Path, old: str, new: str, says: str
) -> None:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    spoil_hwh(root, change)
    found = ran(capsys, "loopback")
    assert found.broken == {"hwh.build": "fail", "hwh.design": "fail"}
    assert says in found.evidence("hwh.design")


def replace_bit(root: Path, change: Callable[[bytes], bytes]) -> None:
    path = root / "bitstreams" / "loopback" / "zcu104.bit"
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("change", "steps", "says"),
    [
        (lambda bit: bit[:-4], ["file.header"], "is cut short"),
        (lambda bit: b"<!DOCTYPE html>", ["file.header"], "it looks like a web page"),
        (
            lambda bit: bit.replace(b"xczu7ev-ffvc1156-2-e", b"xczu9eg-ffvb1156-2-e"),
            ["file.header"],
            "part: expected xczu7ev",
        ),
        (
            lambda bit: bit.replace(b"version = 1.0.0", b"version = 1.0.1"),
            ["file.record"],
            "sha256 does not match",
        ),
    ],
    ids=["truncated", "web-page", "part", "edited"],
)
def test_a_bit_that_is_not_what_it_should_be(
    capsys: pytest.CaptureFixture[str],
    root: Path,
    change: Callable[[bytes], bytes],
    steps: list[str],
    says: str,
) -> None:
    replace_bit(root, change)
    found = ran(capsys, "loopback")
    assert found.broken == dict.fromkeys(steps, "fail")
    assert says in found.evidence(steps[0])
    assert found.steps["load"]["outcome"] == "skipped"


# ---------------------------------------------------------------------- what comes of it


def test_the_certificate_and_what_changed_since(
    capsys: pytest.CaptureFixture[str], deploy: Deploy, faulty: Path, tmp_path: Path
) -> None:
    path, junit = tmp_path / "certificate.json", tmp_path / "junit.xml"
    assert main(["validate", "loopback", *QUICK, "-o", str(path), "--junit", str(junit)]) == 0
    printed = capsys.readouterr().out
    assert " PASS " in printed
    assert sum(line.startswith("  ok ") for line in printed.splitlines()) == 20
    suite = ET.parse(junit).getroot()  # noqa: S314 (our own)
    assert suite.get("tests") == str(len(STEPS))
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "4")

    same = ran(capsys, "loopback", "--against", str(path))
    assert (same.status, same.certificate["changes"]) == (0, [])

    deploy(lambda: broken.opened(faulty, LOOPBACK, accelerator=broken.LATE))
    changed = ran(capsys, "loopback", "--against", str(path), "--junit", str(junit))
    assert changed.status == 1
    changes = {
        item["item"]: (item["before"], item["after"]) for item in changed.certificate["changes"]
    }
    assert changes["latency: latency_max_cycles"] == ("1", "2")
    assert changes["latency: outcome"] == ("pass", "fail")
    assert not any(item.startswith("outputs") for item in changes)
    suite = ET.parse(junit).getroot()  # noqa: S314 (our own)
    assert suite.get("failures") == "2"
    assert list(tmp_path.glob(".*")) == []  # nothing half-written is left


def test_a_new_firmware_that_passes_is_a_change_all_the_same(
    capsys: pytest.CaptureFixture[str], root: Path, tmp_path: Path
) -> None:
    path = tmp_path / "certificate.json"
    assert main(["validate", "loopback", *QUICK, "-o", str(path)]) == 0
    content = json.loads(path.read_text())
    content["overlay"]["digest"] = "0" * 32
    content["facts"]["versions"]["pynq"] = "2.7"
    path.write_text(json.dumps(content))
    found = ran(capsys, "loopback", "--against", str(path))
    assert found.status == 1
    matters = {item["item"]: item["matters"] for item in found.certificate["changes"]}
    assert matters == {"overlay digest": True, "tool pynq": False}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "is no certificate"),
        ('{"kind": "x"}', "is no certificate"),
        ('{"kind": "fpga-harness certificate", "schema": 99}', "schema 99"),
    ],
)
def test_a_file_that_is_no_certificate_is_refused_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str, says: str
) -> None:
    path = tmp_path / "certificate.json"
    path.write_text(content)
    assert main(["validate", "loopback", "--against", str(path)]) == 4
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("option", ["-o", "--junit"])
def test_a_file_that_cannot_be_written_is_found_before_anything_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str
) -> None:
    assert main(["validate", "loopback", option, str(tmp_path / "missing" / "file")]) == 4
    error = capsys.readouterr().err
    assert "missing is no folder" in error
    assert error.count("\n") == 1


def test_failing_steps_are_printed_with_evidence_and_advice(
    capsys: pytest.CaptureFixture[str], deploy: Deploy, faulty: Path
) -> None:
    deploy(lambda: broken.opened(faulty, LOOPBACK, accelerator=broken.BIT_STUCK))
    assert main(["validate", "loopback", *QUICK]) == 1
    printed = capsys.readouterr().out
    assert " FAIL " in printed
    assert "bit 5 is always 1" in printed
    assert "-> the deployed network is not the overlay's" in printed


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "unknown overlay"),
        (["loopback", "--board", "zcu999"], "unknown board"),
        (["loopback", "--target", "carrier-pigeon"], "unknown target"),
        (["loopback", "--soak", "10 cycles"], "--soak"),
        (["loopback", "--rate", "10"], "not a positive number with a unit"),
        (["loopback", "--target", "null"], "has no fabric"),
        (["loopback", "--board", "arty-a7"], "has no processor"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert main(["validate", *arguments]) == 2
    *before, last = capsys.readouterr().err.splitlines()
    assert says in last
    assert last.startswith("harness: error: ")
    assert not any("error" in line for line in before)


def test_the_rate_and_deadline_of_the_user_are_held(capsys: pytest.CaptureFixture[str]) -> None:
    found = ran(capsys, "jet_tagger", "--rate", "40.079 MHz", "--deadline", "200 ns")
    assert found.status == 0
    assert found.steps["rate"]["numbers"]["rate_hz"]["value"] == 40_079_000.0
    found = ran(capsys, "jet_tagger", "--rate", "60 MHz", "--deadline", "1 us")
    assert (found.status, found.broken) == (1, {"rate": "fail"})
    assert "the accelerator did not keep up" in found.evidence("rate")
    found = ran(capsys, "jet_tagger", "--deadline", "25 cycles")
    assert (found.status, found.broken) == (1, {"rate": "fail"})
    assert "deadline misses: expected 0, found 5000" in found.evidence("rate")


def test_nothing_runs_in_process_that_could_be_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = ran(capsys, "loopback", "--no-load")
    assert (found.status, found.broken) == (4, {"load": "error"})
    assert "harness board serve" in found.evidence("load")


# ---------------------------------------------------------------------- images that Vivado built


@pytest.mark.parametrize(
    ("changes", "broken_steps"),
    [
        ({}, {"load"}),  # whole and right, and no virtual board takes it
        ({"payload": payload(0x0372_7093)}, {"file.packets"}),
        ({"date": "2020/01/01"}, {"hwh.build"}),
    ],
    ids=["sound", "idcode", "hwh-of-another-build"],
)
def test_an_image_of_vivado(
    capsys: pytest.CaptureFixture[str],
    root: Path,
    changes: dict[str, Any],
    broken_steps: set[str],
) -> None:
    folder = root / "bitstreams" / "loopback"
    bit, hwh = build_bit(built(**changes)), described()
    (folder / "zcu104.bit").write_bytes(bit)
    (folder / "zcu104.hwh").write_text(hwh)
    record = (folder / "zcu104.toml").read_text()
    for key, data in (("bit_sha256", bit), ("hwh_sha256", hwh.encode())):
        record = re.sub(f'{key} = "\\w+"', f'{key} = "{hashlib.sha256(data).hexdigest()}"', record)
    (folder / "zcu104.toml").write_text(record)
    found = ran(capsys, "loopback")
    assert set(found.broken) == broken_steps
    assert found.steps["file.packets"]["outcome"] == ("fail" if "payload" in changes else "pass")
    if not changes:
        assert "is not an emulation image" in found.evidence("load")
        assert found.steps["file.packets"]["summary"] == "IDCODE 0x04730093, with CRC"
