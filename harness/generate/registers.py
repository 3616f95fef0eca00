"""The register package of an overlay: `overlay_pkg.sv`, which the gateware imports."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from harness.registers import ABI, ADDRESS_BITS, MAGIC, REGISTERS, UNMAPPED_WORD, WINDOWS

if TYPE_CHECKING:
    from harness.overlay import Overlay

_COLUMNS = 100


def banner(overlay: Overlay, comment: str = "//") -> str:
    """Return the head of a generated file: what made it, and the digest it belongs to."""
    return (
        f"{comment} Generated from overlays/{overlay.name}/overlay.toml by `harness generate "
        f"{overlay.name}`; do not edit.\n"
        f"{comment} overlay digest {overlay.digest}\n"
    )


def package(overlay: Overlay) -> str:
    """Return the text of `overlay_pkg.sv`: identity, sizes and the register map."""
    bench = overlay.bench
    sizes = (
        ("IN_WIDTH", overlay.input.width_bits, "Bits of an input beat."),
        ("OUT_WIDTH", overlay.output.width_bits, "Bits of an output beat."),
        ("EVENT_ROWS", bench.event_rows, "Input beats in the event memory."),
        ("GOLDEN_ROWS", bench.golden_rows, "Output beats in the golden memory."),
        ("QUEUE_DEPTH", bench.queue_depth, "Entries of the derandomiser."),
        ("HISTOGRAM_BINS", bench.histogram_bins, "One-cycle bins of each histogram."),
        ("TRACE_DEPTH", bench.trace_depth, "Events in the trace memory."),
        ("SPY_DEPTH", bench.spy_depth, "Output beats in the spy memory."),
        ("GAP_ENTRIES", bench.gap_entries, "Entries of the gap table."),
        ("IN_FLIGHT", bench.in_flight, "Events between acceptance and last output beat."),
    )
    lines = ["`default_nettype none", "", banner(overlay).rstrip(), "", *_doc("", overlay.summary)]
    lines += ["package overlay_pkg;", "", "  /// Identity, as the host reads it."]
    lines += [
        f"  localparam logic [127:0] OVERLAY_DIGEST = 128'h{overlay.digest};",
        *_words((("MAGIC", MAGIC), ("ABI", ABI), ("UNMAPPED_WORD", UNMAPPED_WORD))),
        "  /// Clock the design is built for, in Hz.",
        f"  localparam logic [31:0] CLOCK_HZ = 32'd{overlay.clock_hz};",
        "",
    ]
    for name, value, doc in sizes:
        lines += [f"  /// {doc}", f"  localparam int unsigned {name} = {value};"]
    lines += ["", "  /// Byte offsets of the registers."]
    for register in REGISTERS:
        words = ", low word first" if register.words > 1 else ""
        lines += _doc("  ", f"{register.access}: {register.description}{words}")
        lines.append(_offset("REG", register.name, register.offset))
    lines += ["", "  /// Byte offsets of the memory windows."]
    for window in WINDOWS:
        lines += _doc("  ", f"{window.access}, {window.span_bytes:#x} bytes: {window.description}")
        lines.append(_offset("WIN", window.name, window.offset))
    if overlay.accelerator.registers:
        lines += ["", "  /// Word addresses of the accelerator's own registers."]
        for own in overlay.accelerator.registers:
            lines += _doc("  ", f"{own.access}: {own.description}")
            lines.append(f"  localparam logic [13:0] ACC_{own.name} = 14'h{own.offset // 4:04x};")
    lines += ["", "endpackage", "", "`default_nettype wire", ""]
    return "\n".join(lines)


def _words(values: tuple[tuple[str, int], ...]) -> list[str]:
    return [f"  localparam logic [31:0] {name} = 32'h{value:08x};" for name, value in values]


def _offset(prefix: str, name: str, offset: int) -> str:
    return (
        f"  localparam logic [{ADDRESS_BITS - 1}:0] {prefix}_{name} = {ADDRESS_BITS}'h{offset:06x};"
    )


def _doc(indent: str, text: str) -> list[str]:
    head = f"{indent}/// "
    return textwrap.wrap(text + ".", _COLUMNS, initial_indent=head, subsequent_indent=head)
