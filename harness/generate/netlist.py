"""Modules, buses and nets of a block design, and how a Vivado `.hwh` spells them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from xml.etree import ElementTree as ET

Kind = Literal["lite", "full", "read", "write", "axis"]
Role = Literal["MASTER", "SLAVE"]

_ADDRESS = -1  # stands for the address width in the tables below
_DATA = -2
_STROBE = -3
# Signal, bits, driven by the master.
_WRITE: tuple[tuple[str, int, bool], ...] = (
    ("AWADDR", _ADDRESS, True),
    ("AWPROT", 3, True),
    ("AWVALID", 1, True),
    ("AWREADY", 1, False),
    ("WDATA", _DATA, True),
    ("WSTRB", _STROBE, True),
    ("WVALID", 1, True),
    ("WREADY", 1, False),
    ("BRESP", 2, False),
    ("BVALID", 1, False),
    ("BREADY", 1, True),
)
_WRITE_BURST = (
    ("AWLEN", 8, True),
    ("AWSIZE", 3, True),
    ("AWBURST", 2, True),
    ("AWCACHE", 4, True),
    ("WLAST", 1, True),
)
_READ = (
    ("ARADDR", _ADDRESS, True),
    ("ARPROT", 3, True),
    ("ARVALID", 1, True),
    ("ARREADY", 1, False),
    ("RDATA", _DATA, False),
    ("RRESP", 2, False),
    ("RVALID", 1, False),
    ("RREADY", 1, True),
)
_READ_BURST = (
    ("ARLEN", 8, True),
    ("ARSIZE", 3, True),
    ("ARBURST", 2, True),
    ("ARCACHE", 4, True),
    ("RLAST", 1, False),
)
_STREAM = (
    ("TDATA", _DATA, True),
    ("TKEEP", _STROBE, True),
    ("TLAST", 1, True),
    ("TVALID", 1, True),
    ("TREADY", 1, False),
)
_SIGNALS: dict[Kind, tuple[tuple[str, int, bool], ...]] = {
    "lite": _WRITE + _READ,
    "full": _WRITE + _WRITE_BURST + _READ + _READ_BURST,
    "read": _READ + _READ_BURST,
    "write": _WRITE + _WRITE_BURST,
    "axis": _STREAM,
}


@dataclass
class Bus:
    """One bus interface of a module.

    Args:
        name: Interface name.
        kind: Which signals it has.
        role: Which side of it this is.
        prefix: What its ports' names begin with.
        data_bits: Width of data.
        address_bits: Width of addresses; none for streams.
        parameters: As in the `.hwh`.
        net: Name of the connection.
    """

    name: str
    kind: Kind
    role: Role
    prefix: str
    data_bits: int
    address_bits: int = 32
    parameters: dict[str, str] = field(default_factory=dict)
    net: str = "__NOC__"

    def ports(self) -> dict[str, Port]:
        """Return the ports by signal name."""
        made = {}
        for signal, bits, from_master in _SIGNALS[self.kind]:
            sizes = {
                _ADDRESS: self.address_bits,
                _DATA: self.data_bits,
                _STROBE: self.data_bits // 8,
            }
            # Vivado keeps the case of the core's own port names.
            text = signal if self.prefix.isupper() else signal.lower()
            outward = from_master == (self.role == "MASTER")
            made[signal] = Port(self.prefix + text, "O" if outward else "I", sizes.get(bits, bits))
        return made


@dataclass
class Port:
    """One port of a module, with the far ends of its net."""

    name: str
    direction: Literal["I", "O"]
    bits: int = 1
    sig_is: str = "undef"
    net: str = ""
    ends: list[tuple[str, str]] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class Module:
    """One instance of the block design."""

    instance: str
    modtype: str
    vlnv: str
    parameters: dict[str, str]
    ip_type: str = "PERIPHERAL"
    attributes: dict[str, str] = field(default_factory=dict)
    buses: dict[str, Bus] = field(default_factory=dict)
    bus_ports: dict[str, dict[str, Port]] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    registers: ET.Element | None = None
    memory_map: list[dict[str, str]] = field(default_factory=list)

    def add_bus(self, bus: Bus) -> None:
        """Add an interface and its ports."""
        self.buses[bus.name] = bus
        self.bus_ports[bus.name] = bus.ports()

    def add_port(self, port: Port) -> None:
        """Add a port that belongs to no bus."""
        self.ports[port.name] = port

    def element(self) -> ET.Element:
        """Return the module as a `.hwh` has it."""
        made = ET.Element(
            "MODULE",
            {
                "COREREVISION": "1",
                "FULLNAME": f"/{self.instance}",
                "HWVERSION": self.vlnv.rpartition(":")[2],
                "INSTANCE": self.instance,
                "IPTYPE": self.ip_type,
                "IS_ENABLE": "1",
                "MODCLASS": self.ip_type,
                "MODTYPE": self.modtype,
                "VLNV": self.vlnv,
                **self.attributes,
            },
        )
        ET.SubElement(made, "DOCUMENTS")
        if self.registers is not None:
            ET.SubElement(made, "ADDRESSBLOCKS").append(self.registers)
        parameters = ET.SubElement(made, "PARAMETERS")
        for name, value in self.parameters.items():
            ET.SubElement(parameters, "PARAMETER", {"NAME": name, "VALUE": value})
        ports = ET.SubElement(made, "PORTS")
        for port in [
            *self.ports.values(),
            *(p for b in self.bus_ports.values() for p in b.values()),
        ]:
            ports.append(_port_element(port))
        interfaces = ET.SubElement(made, "BUSINTERFACES")
        for bus in self.buses.values():
            interfaces.append(_bus_element(bus, self.bus_ports[bus.name]))
        if self.memory_map:
            ranges = ET.SubElement(made, "MEMORYMAP")
            for item in self.memory_map:
                ET.SubElement(ranges, "MEMRANGE", item)
            peripherals = ET.SubElement(made, "PERIPHERALS")
            for name in dict.fromkeys(item["INSTANCE"] for item in self.memory_map):
                ET.SubElement(peripherals, "PERIPHERAL", {"INSTANCE": name})
        return made


def connect_bus(master: Module, master_bus: str, slave: Module, slave_bus: str) -> None:
    """Connect two interfaces, signal by signal."""
    net = f"{master.instance}_{master_bus}"
    master.buses[master_bus].net = slave.buses[slave_bus].net = net
    far = slave.bus_ports[slave_bus]
    for signal, near in master.bus_ports[master_bus].items():
        if signal in far:
            _join(master.instance, near, slave.instance, far[signal])


def connect_port(driver: Module, port: str, sink: Module, sink_port: str) -> None:
    """Connect two ports."""
    _join(driver.instance, driver.ports[port], sink.instance, sink.ports[sink_port])


def _join(instance: str, near: Port, far_instance: str, far: Port) -> None:
    driver = f"{instance}_{near.name}" if near.direction == "O" else f"{far_instance}_{far.name}"
    near.net = far.net = driver
    near.ends.append((far_instance, far.name))
    far.ends.append((instance, near.name))


def _port_element(port: Port) -> ET.Element:
    attributes = {**port.attributes, "DIR": port.direction, "NAME": port.name, "SIGIS": port.sig_is}
    if port.bits > 1:
        attributes |= {"LEFT": str(port.bits - 1), "RIGHT": "0"}
    if port.net:
        attributes["SIGNAME"] = port.net
    made = ET.Element("PORT", attributes)
    if port.ends:
        connections = ET.SubElement(made, "CONNECTIONS")
        for instance, name in port.ends:
            ET.SubElement(connections, "CONNECTION", {"INSTANCE": instance, "PORT": name})
    return made


def _bus_element(bus: Bus, ports: dict[str, Port]) -> ET.Element:
    stream = bus.kind == "axis"
    role = {"MASTER": "INITIATOR", "SLAVE": "TARGET"}[bus.role] if stream else bus.role
    vlnv = f"xilinx.com:interface:{'axis' if stream else 'aximm'}:1.0"
    attributes = {"BUSNAME": bus.net, "NAME": bus.name, "TYPE": role, "VLNV": vlnv}
    if not stream:
        attributes["DATAWIDTH"] = str(bus.data_bits)
    made = ET.Element("BUSINTERFACE", attributes)
    for name, value in bus.parameters.items():
        ET.SubElement(made, "PARAMETER", {"NAME": name, "VALUE": value})
    maps = ET.SubElement(made, "PORTMAPS")
    for signal, port in ports.items():
        ET.SubElement(maps, "PORTMAP", {"LOGICAL": signal, "PHYSICAL": port.name})
    return made
