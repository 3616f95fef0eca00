"""What the virtual board needs to know of a design, out of any `.hwh`, read without trusting it.

The standard library's XML parser expands entities and would fetch nothing but memory: size is
limited and any document type is refused, so there is nothing to expand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from harness.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["DmaCore", "Hwh", "HwhModule", "HwhRange", "parse_hwh", "read_hwh"]

MAX_BYTES = 64 << 20
FAMILIES = ("zynq_ultra_ps_e", "processing_system7")
_DOCUMENT_TYPE = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{1,16}")
_MAX_ADDRESS = 1 << 44
_DEFAULT_LENGTH_BITS = 14  # PG021: what c_sg_length_width is where nobody set it
_DMA = "xilinx.com:ip:axi_dma:"
_STREAM = "xilinx.com:interface:axis:"
_TAKES = ("SLAVE", "TARGET")  # Vivado has written both


@dataclass(frozen=True, slots=True)
class HwhRange:
    """Where the processing system sees an instance.

    Args:
        instance: Its name.
        vlnv: Vendor, library, name and version of its IP.
        base: Physical address of the first byte.
        size_bytes: Bytes.
        memory: Whether it is memory rather than registers.
    """

    instance: str
    vlnv: str
    base: int
    size_bytes: int
    memory: bool


@dataclass(frozen=True, slots=True)
class DmaCore:
    """Build parameters of an AXI DMA.

    Args:
        instance: Its name.
        length_bits: Width of the LENGTH registers.
        scatter_gather: Whether it is built for descriptors.
        mm2s_bytes: Bytes of a beat towards the fabric; 0 if that channel is missing.
        s2mm_bytes: Bytes of a beat from the fabric; 0 if that channel is missing.
        mm2s_realigns: Whether any source address will do.
        s2mm_realigns: Whether any destination address will do.
    """

    instance: str
    length_bits: int
    scatter_gather: bool
    mm2s_bytes: int
    s2mm_bytes: int
    mm2s_realigns: bool
    s2mm_realigns: bool


@dataclass(frozen=True, slots=True)
class HwhModule:
    """An instance of the design.

    Args:
        instance: Its name.
        vlnv: Vendor, library, name and version of its IP.
        parameters: Its own parameters, as written.
        sinks: AXI4-Stream ports that take, name to name of the bus they are on.
        sources: AXI4-Stream ports that give, name to name of the bus they are on.
    """

    instance: str
    vlnv: str
    parameters: Mapping[str, str]
    sinks: Mapping[str, str]
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Hwh:
    """A design, as its hardware description tells.

    Args:
        device: Such as `xczu7ev` or `7z020`.
        package: Such as `ffvc1156`.
        family: Kind of processing system.
        ps: Instance name of the processing system.
        ranges: Address map, by address.
        dmas: AXI DMAs.
        modules: All instances, by name.
        clock_hz: Fabric clock 0 the design was built for; none if it does not say.
        name: Of the block design.
        tool: Version of Vivado that wrote it.
        written: When, as written: `Wed Feb 12 16:19:27 2020`.
    """

    device: str
    package: str
    family: str
    ps: str
    ranges: tuple[HwhRange, ...]
    dmas: tuple[DmaCore, ...]
    modules: Mapping[str, HwhModule]
    clock_hz: float | None
    name: str = ""
    tool: str = ""
    written: str = ""

    @property
    def streams(self) -> frozenset[tuple[str, str]]:
        """AXI4-Stream connections, as `instance/port` that gives and `instance/port` that takes."""
        takers = {
            bus: f"{module.instance}/{port}"
            for module in self.modules.values()
            for port, bus in module.sinks.items()
        }
        return frozenset(
            (f"{module.instance}/{port}", takers[bus])
            for module in self.modules.values()
            for port, bus in module.sources.items()
            if bus in takers
        )


def read_hwh(path: Path) -> str:
    """Return the text of a `.hwh`.

    Raises:
        ImageError: It is missing, too large, or not UTF-8.
    """
    where = str(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ImageError("is too large for a .hwh", where=where, why=f"{size} bytes")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ImageError(
            "cannot be read",
            where=where,
            why=error.strerror or str(error),
            hint="a .hwh of the same name must lie beside the .bit",
        ) from error
    except UnicodeDecodeError as error:
        raise ImageError("is not UTF-8", where=where, why=str(error)) from error


def parse_hwh(text: str) -> Hwh:
    """Read a hardware description.

    Args:
        text: The whole file.

    Raises:
        ImageError: It is not one, or something in it cannot be; the message says what.
    """
    root = _root(text)
    system = root.find("SYSTEMINFO")
    if system is None:
        raise _fail("has no SYSTEMINFO")
    modules = list(root.iter("MODULE"))
    found = [item for item in modules if item.get("MODTYPE") in FAMILIES]
    if len(found) != 1:
        raise _fail(f"has {len(found)} processing systems", f"known: {', '.join(FAMILIES)}")
    ps = found[0]
    vlnvs = {item.get("INSTANCE", ""): item.get("VLNV", "") for item in modules}
    ranges = sorted(
        {_range(item, vlnvs) for item in ps.iter("MEMRANGE") if item.get("INSTANCE") in vlnvs},
        key=lambda item: (item.base, item.size_bytes, item.instance),
    )
    for low, high in pairwise(ranges):
        if low.base + low.size_bytes > high.base and low.instance != high.instance:
            raise _fail(
                f"maps {low.instance} and {high.instance} over each other",
                f"at {low.base:#x} and {high.base:#x}",
            )
    dmas = tuple(_dma(item) for item in modules if item.get("VLNV", "").startswith(_DMA))
    return Hwh(
        device=system.get("DEVICE", ""),
        package=system.get("PACKAGE", ""),
        family=ps.get("MODTYPE", ""),
        ps=ps.get("INSTANCE", ""),
        ranges=tuple(ranges),
        dmas=dmas,
        modules={item.get("INSTANCE", ""): _module(item) for item in modules},
        clock_hz=_clock_hz(_parameters(ps)),
        name=system.get("NAME", ""),
        tool=root.get("VIVADOVERSION", ""),
        written=root.get("TIMESTAMP", ""),
    )


def _fail(what: str, why: str = "") -> ImageError:
    return ImageError(what, where=".hwh", why=why, hint="build or copy the file again")


def _root(text: str) -> ET.Element:
    if len(text) > MAX_BYTES:
        raise _fail("is too large", f"{len(text)} characters")
    if match := _DOCUMENT_TYPE.search(text):
        raise _fail("declares a document type or entity", f"{match[0]!r} at {match.start()}")
    try:
        root = ET.fromstring(text)  # noqa: S314 (limited in size, no document type: see above)
    except (ET.ParseError, ValueError) as error:
        raise _fail("is not well-formed XML", str(error)) from error
    if root.tag != "EDKSYSTEM":
        raise _fail("is not a hardware description", f"its root is <{root.tag[:40]}>")
    return root


def _range(item: ET.Element, vlnvs: dict[str, str]) -> HwhRange:
    instance = item.get("INSTANCE", "")
    texts = item.get("BASEVALUE", ""), item.get("HIGHVALUE", "")
    if not all(_ADDRESS.fullmatch(text) for text in texts):
        raise _fail(f"gives {instance} no address", f"got {texts[0]!r} to {texts[1]!r}")
    base, high = (int(text, 16) for text in texts)
    if not base <= high < _MAX_ADDRESS:
        raise _fail(f"gives {instance} an impossible address", f"{base:#x} to {high:#x}")
    memory = item.get("MEMTYPE") == "MEMORY"
    return HwhRange(instance, vlnvs[instance], base, high - base + 1, memory)


def _parameters(module: ET.Element) -> dict[str, str]:
    """Return a module's own parameters; those of its buses have the same tag, but lie deeper."""
    own = module.find("PARAMETERS")
    items = [] if own is None else own.findall("PARAMETER")
    return {item.get("NAME", ""): item.get("VALUE", "") for item in items}


def _module(module: ET.Element) -> HwhModule:
    ports: dict[bool, dict[str, str]] = {True: {}, False: {}}
    for bus in module.iter("BUSINTERFACE"):
        if bus.get("VLNV", "").startswith(_STREAM):
            takes = bus.get("TYPE") in _TAKES
            ports[takes][bus.get("NAME", "")] = bus.get("BUSNAME", "")
    return HwhModule(
        instance=module.get("INSTANCE", ""),
        vlnv=module.get("VLNV", ""),
        parameters=_parameters(module),
        sinks=ports[True],
        sources=ports[False],
    )


def _dma(module: ET.Element) -> DmaCore:
    name = module.get("INSTANCE", "")
    # Vivado has written these names in either case.
    given = {key.lower(): value for key, value in _parameters(module).items()}

    def number(key: str, default: int, low: int, high: int) -> int:
        text = given.get(key, str(default))
        value = int(text) if re.fullmatch(r"[0-9]{1,6}", text) else -1
        if not low <= value <= high:
            raise _fail(f"gives {name} an impossible {key}", f"got {text[:40]!r}")
        return value

    def beat_bytes(channel: str) -> int:
        if not number(f"c_include_{channel}", 1, 0, 1):
            return 0
        side = "m_axis_mm2s" if channel == "mm2s" else "s_axis_s2mm"
        return number(f"c_{side}_tdata_width", 32, 8, 1024) // 8

    return DmaCore(
        instance=name,
        length_bits=number("c_sg_length_width", _DEFAULT_LENGTH_BITS, 8, 26),
        scatter_gather=bool(number("c_include_sg", 1, 0, 1)),
        mm2s_bytes=beat_bytes("mm2s"),
        s2mm_bytes=beat_bytes("s2mm"),
        mm2s_realigns=bool(number("c_include_mm2s_dre", 0, 0, 1)),
        s2mm_realigns=bool(number("c_include_s2mm_dre", 0, 0, 1)),
    )


def _clock_hz(parameters: dict[str, str]) -> float | None:
    for name in ("PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ", "PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ"):
        text = parameters.get(name, "")
        if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,9})?", text):
            return float(text) * 1e6
    return None
