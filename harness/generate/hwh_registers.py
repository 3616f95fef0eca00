"""Register maps as a `.hwh` spells them: AXI DMA (PG021, direct mode) and stream_bench."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from harness.registers import REGISTERS

_ACCESS = {"ro": "read-only", "rw": "read-write", "wo": "write-only"}
# Name, lowest bit, bits.
_CONTROL_FIELDS = (
    ("RS", 0, 1),
    ("Reset", 2, 1),
    ("Keyhole", 3, 1),
    ("IOC_IrqEn", 12, 1),
    ("Dly_IrqEn", 13, 1),
    ("Err_IrqEn", 14, 1),
    ("IRQThreshold", 16, 8),
    ("IRQDelay", 24, 8),
)
_STATUS_FIELDS = (
    ("Halted", 0, 1),
    ("Idle", 1, 1),
    ("SGIncld", 3, 1),
    ("DMAIntErr", 4, 1),
    ("DMASlvErr", 5, 1),
    ("DMADecErr", 6, 1),
    ("IOC_Irq", 12, 1),
    ("Dly_Irq", 13, 1),
    ("Err_Irq", 14, 1),
)
_CHANNELS = (("MM2S", 0x00, "SA", "Source"), ("S2MM", 0x30, "DA", "Destination"))


def _block(interface: str, size: int) -> tuple[ET.Element, ET.Element]:
    block = ET.Element(
        "ADDRESSBLOCK",
        {
            "ACCESS": "read-write",
            "INTERFACE": interface,
            "NAME": "Reg",
            "RANGE": str(size),
            "USAGE": "register",
        },
    )
    return block, ET.SubElement(block, "REGISTERS")


def _register(parent: ET.Element, name: str, offset: int, access: str, text: str) -> ET.Element:
    made = ET.SubElement(parent, "REGISTER", {"NAME": name})
    for key, value in (
        ("DESCRIPTION", text),
        ("ADDRESS_OFFSET", f"0x{offset:X}"),
        ("SIZE", "32"),
        ("ACCESS", access),
        ("IS_ENABLED", "true"),
    ):
        ET.SubElement(made, "PROPERTY", {"NAME": key, "VALUE": value})
    return ET.SubElement(made, "FIELDS")


def _fields(parent: ET.Element, fields: tuple[tuple[str, int, int], ...]) -> None:
    for name, lowest, bits in fields:
        made = ET.SubElement(parent, "FIELD", {"NAME": name})
        for key, value in (
            ("DESCRIPTION", name),
            ("ADDRESS_OFFSET", str(lowest)),
            ("ACCESS", "read-write"),
            ("BIT_OFFSET", str(lowest)),
            ("BIT_WIDTH", str(bits)),
        ):
            ET.SubElement(made, "PROPERTY", {"NAME": key, "VALUE": value})


def dma_registers(size: int) -> ET.Element:
    """Return the registers of an AXI DMA in direct mode."""
    block, registers = _block("S_AXI_LITE", size)
    for channel, base, address, role in _CHANNELS:
        at = f"{channel}_"
        _fields(
            _register(registers, f"{at}DMACR", base, "read-write", f"{channel} DMA control"),
            _CONTROL_FIELDS,
        )
        _fields(
            _register(registers, f"{at}DMASR", base + 0x4, "read-write", f"{channel} DMA status"),
            _STATUS_FIELDS,
        )
        low = f"{role} address, bits 31..0"
        _register(registers, f"{at}{address}", base + 0x18, "read-write", low)
        high = f"{role} address, bits 63..32"
        _register(registers, f"{at}{address}_MSB", base + 0x1C, "read-write", high)
        length = "Bytes to transfer; writing it starts"
        _register(registers, f"{at}LENGTH", base + 0x28, "read-write", length)
    return block


def bench_registers(size: int) -> ET.Element:
    """Return the registers of stream_bench; a 64-bit one has its high word in `<name>_HIGH`."""
    block, registers = _block("s_axi", size)
    for item in REGISTERS:
        access = _ACCESS[item.access]
        _register(registers, item.name, item.offset, access, item.description)
        if item.words > 1:
            high = f"{item.description}; high word"
            _register(registers, f"{item.name}_HIGH", item.offset + 4, access, high)
    return block


def gpio_registers(size: int) -> ET.Element:
    """Return the address block of an AXI GPIO of one channel (PG144)."""
    block, registers = _block("S_AXI", size)
    _register(registers, "GPIO_DATA", 0x0, "read-write", "Channel 1 data")
    _register(registers, "GPIO_TRI", 0x4, "read-write", "Channel 1 direction, 1 is in")
    return block
