"""Writes, or checks, everything generated for one overlay."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness import tomlfile
from harness.errors import ImageError, OverlayError, StorageError
from harness.generate.hwh import hwh
from harness.generate.image import emulation_bit, record
from harness.generate.registers import package
from harness.generate.top import fabric_top
from harness.generate.vivado import vivado_script
from harness.generate.vivado_uart import uart_constraints, uart_script
from harness.inventory import find_board
from harness.overlay import EMULATION, parse_overlay

if TYPE_CHECKING:
    from pathlib import Path

    from harness.accelerators import Model
    from harness.overlay import Overlay

__all__ = ["generate", "generated_files"]


def generate(overlay: Overlay, check: bool = False) -> list[Path]:
    """Bring all generated files of an overlay up to date.

    Args:
        overlay: For all boards that its manifest names.
        check: Only look; write nothing.

    Returns:
        The files that differed from what they should be, and have been written unless `check`.

    Raises:
        InputError: A source is missing, or a board is unknown.
        BoardError: A board cannot make the clock.
        StorageError: A file cannot be written.
    """
    # The network is part of the digest that everything else carries, so it comes first.
    changed = _settle(_network(overlay), check)
    if changed and not check:
        overlay = parse_overlay(overlay.manifest_path, overlay.root)
    return changed + _settle(generated_files(overlay), check)


def generated_files(overlay: Overlay) -> dict[Path, bytes]:
    """Return path and content of every file generated from an overlay's digest."""
    package_path, top_path = overlay.generated_rtl
    files = {
        package_path: package(overlay).encode(),
        top_path: fabric_top(overlay).encode(),
    }
    for name in overlay.boards:
        board = find_board(name)
        bit_path, hwh_path, record_path = overlay.image_paths(name)
        real = _holds_real_image(record_path)
        script = overlay.folder / "vivado" / f"{name}.tcl"
        text = None if board.uart is not None else hwh(overlay, board)
        if not real:
            bit = emulation_bit(overlay, board, text)
            files[bit_path] = bit
            files[record_path] = record(overlay, board, bit, text).encode()
        if text is not None:
            if not real:
                files[hwh_path] = text.encode()
            files[script] = vivado_script(overlay, board).encode()
        else:
            files[script] = uart_script(overlay, board).encode()
            files[script.with_suffix(".xdc")] = uart_constraints(overlay, board).encode()
    return files


def _holds_real_image(record_path: Path) -> bool:
    """Whether a board's image was built by Vivado: nothing generated takes its place."""
    if not record_path.is_file():
        return False
    told = tomlfile.read(record_path, ImageError).get("provenance", "")
    return not str(told).startswith(EMULATION)


def _timing(overlay: Overlay, model: Model) -> list[tuple[str, int | None, int | None]]:
    """Return key, manifest's and model's value of the contract of a network with its weights."""
    bits = overlay.input.width_bits, overlay.output.width_bits
    said = overlay.accelerator
    return [
        (
            "accelerator.initiation_interval_cycles",
            said.initiation_interval_cycles,
            model.interval_cycles(*bits),
        ),
        ("accelerator.latency_cycles", said.latency_cycles, model.latency_cycles(*bits)),
    ]


def _network(overlay: Overlay) -> dict[Path, bytes]:
    """Return weights and top of the accelerator, for an overlay that has a model."""
    model = overlay.model
    if model is None:
        return {}
    in_bits, out_bits = overlay.input.width_bits, overlay.output.width_bits
    accelerator = overlay.accelerator
    for key, said, found in (
        ("name", accelerator.module, model.name),
        ("input.values", overlay.input.values, model.inputs),
        ("input.format", overlay.input.format, model.input_format),
        ("input.beats", overlay.input.beats, model.unpack(in_bits).in_beats),
        ("output.values", overlay.output.values, model.outputs),
        ("output.format", overlay.output.format, model.output_format),
        ("output.beats", overlay.output.beats, model.pack(out_bits).out_beats),
        *([] if overlay.memory is not None else _timing(overlay, model)),
    ):
        if said != found:
            raise OverlayError(
                f"is {'not there' if said is None else said}, unlike the model's",
                where=f"{overlay.manifest_path}: {key}",
                why=f"that is {'none: it depends on the data' if found is None else found}",
                hint="make the manifest agree with model.json",
            )
    # Only these overlays need what writes networks.
    from harness.generate.accelerator import network_top  # noqa: PLC0415
    from harness.generate.network import weights_package  # noqa: PLC0415
    from harness.generate.streaming import streaming_package  # noqa: PLC0415

    sources = [overlay.folder / path for path in overlay.network_sources]
    if overlay.memory is not None:
        return {sources[0]: streaming_package(model, overlay.memory).encode()}
    package, top = sources
    return {
        package: weights_package(model).encode(),
        top: network_top(model, in_bits, out_bits).encode(),
    }


def _settle(files: dict[Path, bytes], check: bool) -> list[Path]:
    changed = []
    for path, content in files.items():
        try:
            current = path.is_file() and path.read_bytes() == content
            if not current and not check:
                _replace(path, content)
        except OSError as error:
            raise StorageError(
                "cannot be written", where=str(path), why=error.strerror or str(error)
            ) from error
        if not current:
            changed.append(path)
    return changed


def _replace(path: Path, content: bytes) -> None:
    """Write a file so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        raise OverlayError("is a link", where=str(path), hint="remove it and generate again")
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
