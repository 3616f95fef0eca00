"""Writes, or checks, everything generated for one overlay."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.errors import OverlayError, StorageError
from harness.generate.hwh import hwh
from harness.generate.image import emulation_bit, record
from harness.generate.registers import package
from harness.generate.top import fabric_top
from harness.generate.vivado import vivado_script
from harness.generate.vivado_uart import uart_constraints, uart_script
from harness.inventory import find_board
from harness.overlay import parse_overlay

if TYPE_CHECKING:
    from pathlib import Path

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
    # The weights are part of the digest that everything else carries, so they come first.
    changed = _settle(_weights(overlay), check)
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
        script = overlay.folder / "vivado" / f"{name}.tcl"
        text = None if board.uart is not None else hwh(overlay, board)
        bit = emulation_bit(overlay, board, text)
        files[bit_path] = bit
        if text is not None:
            files[hwh_path] = text.encode()
            files[script] = vivado_script(overlay, board).encode()
        else:
            files[script] = uart_script(overlay, board).encode()
            files[script.with_suffix(".xdc")] = uart_constraints(overlay, board).encode()
        files[record_path] = record(overlay, board, bit, text).encode()
    return files


def _weights(overlay: Overlay) -> dict[Path, bytes]:
    """Return the package of weights, for an overlay that has a model."""
    if overlay.model_path is None:
        return {}
    # Only these overlays need the model's reader.
    from harness.accelerators import load_model  # noqa: PLC0415

    model = load_model(overlay.model_path)
    first, last = model.layers[0], model.layers[-1]
    for key, stream, values, number_format in (
        ("input", overlay.input, first.inputs, model.input_format),
        ("output", overlay.output, last.outputs, last.output_format),
    ):
        if (stream.values, stream.format) != (values, number_format):
            raise OverlayError(
                f"is {stream.values} x {stream.format}, unlike the model's",
                where=f"{overlay.manifest_path}: {key}",
                why=f"that is {values} x {number_format}",
                hint="make the manifest agree with model.json",
            )
    from harness.generate.network import weights_package  # noqa: PLC0415
    from harness.generate.streaming import streaming_package  # noqa: PLC0415

    path, port = overlay.folder / str(overlay.weights_source), overlay.memory
    text = weights_package(model) if port is None else streaming_package(model, port)
    return {path: text.encode()}


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
