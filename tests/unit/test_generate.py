"""What is generated is current, reproducible, and agrees with the manifest and other readers."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.bitfile import emulation_facts, parse_bit
from harness.errors import OverlayError, StorageError
from harness.generate.block_design import block_design
from harness.generate.hwh import hwh
from harness.generate.registers import package
from harness.generate.top import fabric_top
from harness.generate.vivado import vivado_script
from harness.generate.vivado_uart import uart_constraints, uart_script
from harness.generate.write import generate, generated_files
from harness.inventory import BOARDS, UART_BOARDS
from harness.overlay import find_overlay, list_overlays, project_root
from harness.registers import REGISTERS, WINDOWS

OVERLAYS = list_overlays()
BOARD_NAMES = list(BOARDS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    source = project_root() / "overlays"
    for name in ("lib", "loopback"):
        shutil.copytree(source / name, tmp_path / "overlays" / name)
    return tmp_path


@pytest.mark.parametrize("name", OVERLAYS)
def test_committed_files_are_current(name: str) -> None:
    stale = generate(find_overlay(name), check=True)
    assert not stale, f"run: harness generate {name}"


def test_generating_twice_changes_nothing(root: Path) -> None:
    overlay = find_overlay("loopback", root)
    for path in overlay.generated_rtl:
        path.unlink()
    shutil.rmtree(overlay.folder / "vivado", ignore_errors=True)
    expected = generated_files(overlay)
    # A board without a processor has constraints and no .hwh.
    assert len(expected) == 2 + 4 * len(BOARDS) + 4 * len(UART_BOARDS)
    assert sorted(generate(overlay, check=True)) == sorted(expected)
    assert not (root / "bitstreams").exists()  # checking writes nothing
    assert sorted(generate(overlay)) == sorted(expected)
    before = {path: path.read_bytes() for path in expected}
    assert before == expected
    assert generate(find_overlay("loopback", root)) == []
    assert before == {path: path.read_bytes() for path in expected}
    assert not list(root.rglob("*.new"))


def test_only_what_differs_is_written(root: Path) -> None:
    overlay = find_overlay("loopback", root)
    generate(overlay)
    path = overlay.image_paths("kv260")[1]
    path.write_text("changed")
    assert generate(overlay, check=True) == [path]
    assert path.read_text() == "changed"
    assert generate(overlay) == [path]


def test_a_file_that_cannot_be_written_is_named(root: Path) -> None:
    overlay = find_overlay("loopback", root)
    (root / "bitstreams").write_text("not a folder")
    with pytest.raises(StorageError, match=r"zcu104\.bit: cannot be written"):
        generate(overlay)


def test_the_package_has_every_register_and_window() -> None:
    overlay = find_overlay("dial")
    text = package(overlay)
    for prefix, items in (("REG", REGISTERS), ("WIN", WINDOWS)):
        found = dict(re.findall(rf"logic \[21:0\] {prefix}_(\w+) = 22'h([0-9a-f]+);", text))
        assert {name: int(value, 16) for name, value in found.items()} == {
            item.name: item.offset for item in items
        }
    own = dict(re.findall(r"logic \[13:0\] ACC_(\w+) = 14'h([0-9a-f]+);", text))
    assert {name: int(value, 16) for name, value in own.items()} == {
        "INITIATION_INTERVAL": 0,
        "DELAY": 1,
        "JITTER_MASK": 2,
        "SEED": 3,
    }
    assert f"OVERLAY_DIGEST = 128'h{overlay.digest};" in text
    assert max(map(len, text.splitlines())) <= 100


def _ports(text: str) -> set[str]:
    header = text[: text.index(");\n")]
    return set(re.findall(r"^\s*(?:input|output)\s+logic.*?(\w+),?$", header, re.MULTILINE))


def _parameters(text: str) -> set[str]:
    return set(re.findall(r"^\s*parameter int unsigned (\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["loopback", "dial", "weight_streaming"])
def test_the_top_connects_every_port_and_parameter(name: str) -> None:
    overlay = find_overlay(name)
    text = fabric_top(overlay)
    bench = (overlay.root / "overlays/lib/rtl/bench/stream_bench.sv").read_text()
    accelerator = (overlay.folder / f"rtl/{name}.sv").read_text()
    head, middle, tail = re.split(rf"  (?:stream_bench|{name}) #\(", text)
    assert "module fabric_top" in head
    for source, instance in ((bench, middle), (accelerator, tail)):
        settings, connections = re.split(r"\) u_\w+ \(", instance)
        ports = _ports(re.sub(r"///.*|//.*", "", source))
        assert set(re.findall(r"\.(\w+)\(", connections)) == ports
        given = set(re.findall(r"\.(\w+)\(", settings))
        assert given <= _parameters(source)
        assert {"InWidth", "OutWidth"} <= given
    assert f"wire [{overlay.input.width_bits - 1}:0] s_axis_dma_tdata" in text
    assert f"wire [{overlay.output.width_bits - 1}:0] m_axis_dma_tdata" in text


def parsed(path: Path) -> Any:
    from harness.emulation.pynq_device import Metadata, RuntimeMetadataParser

    return RuntimeMetadataParser(Metadata(input=str(path)))


@pytest.mark.parametrize("board", BOARD_NAMES)
@pytest.mark.parametrize("name", ["loopback", "dial"])
def test_pynqmetadata_reads_our_hwh(name: str, board: str, tmp_path: Path) -> None:
    overlay = find_overlay(name)
    path = tmp_path / "x.hwh"
    path.write_text(hwh(overlay, BOARDS[board]))
    parser = parsed(path)
    base = BOARDS[board].pl_base
    ip = parser.ip_dict
    assert parser.family_ps == BOARDS[board].family
    gpio = {"axi_gpio_leds"} if overlay.gpio_bits else set()
    assert set(ip) == {"stream_bench_0", "axi_dma_0", parser.ps_name} | gpio
    assert bool(gpio) == (name == "loopback"), "pynq's self-test of a remote board wants one there"
    bench, dma = ip["stream_bench_0"], ip["axi_dma_0"]
    assert (bench["phys_addr"], bench["addr_range"]) == (base, 0x40_0000)
    assert bench["type"] == "xilinx.com:module_ref:fabric_top:1.0"
    assert (dma["phys_addr"], dma["addr_range"]) == (base + 0x40_0000, 0x1_0000)
    assert dma["type"] == "xilinx.com:ip:axi_dma:7.1"
    width = str(overlay.input.width_bits)
    parameters = dma["parameters"]
    assert parameters["c_include_sg"] == "0"
    assert parameters["c_sg_length_width"] == "26"
    assert parameters["c_m_axi_mm2s_data_width"] == parameters["c_m_axis_mm2s_tdata_width"] == width
    assert parameters["c_m_axi_s2mm_data_width"] == parameters["c_s_axis_s2mm_tdata_width"] == width
    offsets = {name: item["address_offset"] for name, item in dma["registers"].items()}
    assert (offsets["MM2S_DMASR"], offsets["S2MM_DMACR"], offsets["S2MM_LENGTH"]) == (4, 0x30, 0x58)
    words = {item.name: item.offset for item in REGISTERS}
    words |= {f"{item.name}_HIGH": item.offset + 4 for item in REGISTERS if item.words == 2}
    assert words == {name: item["address_offset"] for name, item in bench["registers"].items()}
    clock = parser.clock_dict[0]
    assert clock["enable"] == 1
    plan = block_design(overlay, BOARDS[board]).clock
    assert (clock["divisor0"], clock["divisor1"]) == (plan.divisor0, plan.divisor1)
    assert clock.get("frequency", float(plan.hz) / 1e6) == pytest.approx(float(plan.hz) / 1e6)
    assert [parser.clock_dict[index]["enable"] for index in (1, 2, 3)] == [0, 0, 0]


@pytest.mark.parametrize("board", BOARD_NAMES)
def test_the_nets_reach_both_ways(board: str, tmp_path: Path) -> None:
    path = tmp_path / "x.hwh"
    path.write_text(hwh(find_overlay("dial"), BOARDS[board]))
    blocks = parsed(path).md.blocks
    dma, bench = blocks["axi_dma_0"], blocks["stream_bench_0"]
    for near, far in (
        (dma.ports["M_AXIS_MM2S"], bench.ports["s_axis_dma"]),
        (bench.ports["m_axis_dma"], dma.ports["S_AXIS_S2MM"]),
    ):
        assert [item.ref for item in near.destinations().values()] == [far.ref]


@pytest.mark.parametrize("board", BOARD_NAMES)
def test_every_net_has_one_driver_and_is_told_from_both_ends(board: str) -> None:
    root = ElementTree.fromstring(hwh(find_overlay("dial"), BOARDS[board]))  # noqa: S314 (our own)
    ends = {
        (module.attrib["INSTANCE"], port.attrib["NAME"]): port
        for module in root.iter("MODULE")
        for port in module.iter("PORT")
    }
    nets: dict[str, list[str]] = {}
    for near, port in ends.items():
        if "SIGNAME" in port.attrib:
            nets.setdefault(port.attrib["SIGNAME"], []).append(port.attrib["DIR"])
        for far in port.iter("CONNECTION"):
            other = ends[far.attrib["INSTANCE"], far.attrib["PORT"]]
            assert other.attrib["SIGNAME"] == port.attrib["SIGNAME"]
            assert near in {
                (x.attrib["INSTANCE"], x.attrib["PORT"]) for x in other.iter("CONNECTION")
            }
    assert {directions.count("O") for directions in nets.values()} == {1}
    clocks = [ends[end] for end in ends if ends[end].attrib["SIGIS"] == "clk"]
    assert len({port.attrib["SIGNAME"] for port in clocks}) == 1
    assert len({port.attrib["CLKFREQUENCY"] for port in clocks}) == 1
    resets = [port for port in ends.values() if port.attrib["SIGIS"] == "rst"]
    assert all("SIGNAME" in port.attrib for port in resets)


@pytest.mark.parametrize("board", BOARD_NAMES)
def test_the_older_parser_of_pynq_reads_our_hwh(board: str) -> None:
    from pynq.pl_server import hwh_parser

    import harness.emulation.pynq_device  # noqa: F401 (imports pynq without its warnings)

    zynq = BOARDS[board].family == "processing_system7"
    kind = hwh_parser._HWHZynq if zynq else hwh_parser._HWHUltrascale
    found = kind(hwh_data=hwh(find_overlay("dial"), BOARDS[board]).partition("\n")[2])
    assert found.ip_dict["axi_dma_0"]["phys_addr"] == BOARDS[board].pl_base + 0x40_0000
    assert found.clock_dict[0]["enable"] == 1
    assert "SCRATCH" in found.ip_dict["stream_bench_0"]["registers"]


@pytest.mark.parametrize("board", BOARD_NAMES)
def test_the_vivado_script_builds_the_same_design(board: str) -> None:
    overlay = find_overlay("dial")
    text = vivado_script(overlay, BOARDS[board])
    design = block_design(overlay, BOARDS[board])
    assert "NOT TESTED" in text
    assert f"-part {BOARDS[board].part}\n" in text
    assert f"-offset {design.bench_base:#010x} -range 0x400000" in text
    assert f"-offset {design.dma_base:#010x} -range 0x10000" in text
    for name, value in design.dma_parameters.items():
        assert f"CONFIG.{name} {{{value}}}" in text
    for path in (*overlay.generated_rtl, *overlay.written_rtl):
        assert f"  {path.relative_to(overlay.root).as_posix()}\n" in text
    assert f'digest = \\"{overlay.digest}\\"' in text
    for opening, closing in ("{}", "[]"):
        assert text.count(opening) == text.count(closing)


@pytest.mark.parametrize("board", list(UART_BOARDS))
def test_the_script_for_a_board_without_a_processor_has_all_it_needs(board: str) -> None:
    overlay, kind = find_overlay("dial"), UART_BOARDS[board]
    script, pins = uart_script(overlay, kind), uart_constraints(overlay, kind)
    assert "NOT TESTED" in script
    assert "NOT TESTED" in pins
    assert f"-part {kind.part}\n" in script
    top = overlay.root / "overlays/lib/rtl/uart/uart_top.v"
    for path in (*overlay.generated_rtl, *overlay.written_rtl, *overlay.uart_rtl, top):
        assert path.is_file()
        assert f"  {path.relative_to(overlay.root).as_posix()}\n" in script
    # What is constrained is what the top has, and what is set are its parameters.
    text = top.read_text()
    ports = set(re.findall(r"^  (?:input|output) +wire (\w+),?$", text, re.MULTILINE))
    constrained = re.findall(r"PACKAGE_PIN (\w+) .*\[get_ports (\w+)\]", pins)
    assert {port for _, port in constrained} == ports
    assert len({pin for pin, _ in constrained}) == len(ports)
    generics = dict(re.findall(r"(\w+)=(\d+)", script[script.index("generic {") :].split("}")[0]))
    assert set(generics) == set(re.findall(r"parameter (\w+) =", text))
    assert kind.uart is not None
    baud = 256 * int(generics["ClockHz"]) / int(generics["DivisorQ8"])
    assert abs(baud / kind.uart.baud - 1) < 1e-4
    assert f'digest = \\"{overlay.digest}\\"' in script
    for opening, closing in ("{}", "[]"):
        assert script.count(opening) == script.count(closing)


def test_an_image_for_a_board_without_a_processor_has_no_hwh() -> None:
    overlay = find_overlay("dial")
    image = overlay.image("arty-a7")
    assert (image.hwh, image.hwh_sha256, image.clock_hz) == (None, None, 100_000_000)
    assert overlay.image("zcu104").clock_hz == overlay.clock_hz
    content = parse_bit(image.bit.read_bytes())
    assert (content.design, content.part) == ("uart_top", "7a100tcsg324")
    facts = emulation_facts(content)
    assert facts is not None
    assert (facts["board"], facts["digest"]) == ("arty-a7", overlay.digest)
    assert "hwh_sha256" not in facts


def test_a_manifest_unlike_its_model_is_refused(root: Path) -> None:
    layer = {
        "kind": "dense",
        "inputs": 4,
        "outputs": 4,
        "weight_format": {"width": 2, "integer": 2, "signed": True},
        "weights": [[0] * 4] * 4,
        "bias": [0] * 4,
        "shift": 0,
        "rounding": "floor",
        "overflow": "saturate",
        "activation": "none",
        "output_format": {"width": 15, "integer": 15, "signed": True},
    }
    given = {"values": 4, "format": {"width": 16, "integer": 16, "signed": True}}
    model = {"schema": 2, "name": "loopback", "input": given, "layers": [layer]}
    folder = root / "overlays" / "loopback"

    def write_model() -> None:
        text = json.dumps({**model, "output": {"kind": "values"}})
        (folder / "model.json").write_text(text)

    write_model()
    manifest = folder / "overlay.toml"
    manifest.write_text(manifest.read_text().replace("[input]", 'model = "model.json"\n\n[input]'))
    with pytest.raises(
        OverlayError, match=r"toml: output.format: is ap_fixed<16,.*that is ap_fixed<15,"
    ):
        generate(find_overlay("loopback", root))
    layer["output_format"] = given["format"]
    write_model()
    with pytest.raises(OverlayError, match=r"latency_cycles: is .*that is 4"):
        generate(find_overlay("loopback", root))


@pytest.mark.parametrize("board", ["zcu104", "pynq-z2"])
def test_a_port_to_memory_reaches_the_processing_systems_memory(board: str) -> None:
    """In the .hwh as a bus and a range, in the script as a wire and an address, in no other one."""
    overlay, plain = find_overlay("weight_streaming"), find_overlay("dial")
    text = hwh(overlay, BOARDS[board])
    root = ElementTree.fromstring(text[text.index("<EDKSYSTEM") :])  # noqa: S314 (our own)
    bench = next(m for m in root.iter("MODULE") if m.get("INSTANCE") == "stream_bench_0")
    (bus,) = (b for b in bench.iter("BUSINTERFACE") if b.get("NAME") == "m_axi")
    assert (bus.get("TYPE"), bus.get("DATAWIDTH")) == ("MASTER", "512")
    (port,) = (p for p in bench.iter("PORT") if p.get("NAME") == "m_axi_araddr")
    ends = [(c.get("INSTANCE"), c.get("PORT")) for c in port.iter("CONNECTION")]
    assert ends == [("axi_smc_memory", "S02_AXI_ARADDR")]
    (reach,) = bench.iter("MEMRANGE")
    assert (reach.get("BASEVALUE"), reach.get("MEMTYPE")) == ("0x00000000", "MEMORY")
    script = vivado_script(overlay, BOARDS[board])
    assert "stream_bench_0/m_axi axi_smc_memory/S02_AXI" in script
    assert "get_bd_addr_spaces stream_bench_0/m_axi" in script
    assert "CONFIG.NUM_SI 3" in script
    assert "m_axi " not in vivado_script(plain, BOARDS[board])
    assert 'NAME="m_axi"' not in hwh(plain, BOARDS[board])
