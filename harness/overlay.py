"""What is measured: an overlay's manifest, its sources, its digest, and its images for boards.

`overlays/<name>/overlay.toml` is the single source; register package, top, `.hwh`, emulation
image and Vivado script are generated from it. A manifest is untrusted input: names are plain words
and paths stay below `overlays/`.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness import tomlfile
from harness.accelerators import Model, load_model
from harness.accelerators.streamed import Streamed
from harness.errors import ImageError, OverlayError
from harness.inventory import find_board
from harness.manifest import (
    NAME,
    Accelerator,
    BenchSizes,
    MemoryPort,
    RegisterSpec,
    Stream,
    need,
    within,
)
from harness.overlay_files import (
    OVERLAYS,
    digest_files,
    inside,
    project_root,
    read_bytes,
    sha256_of,
)
from harness.registers import ABI, MAGIC, REGISTERS, UNMAPPED_WORD, WINDOWS

__all__ = [
    "GENERATOR_VERSION",
    "PROVENANCE",
    "Accelerator",
    "BenchSizes",
    "Image",
    "MemoryPort",
    "Overlay",
    "RegisterSpec",
    "Stream",
    "find_overlay",
    "list_overlays",
    "parse_overlay",
    "project_root",
]

SCHEMA = 1
GENERATOR_VERSION = 1
"""Counts up when what is generated from the same manifest changes; part of the digest."""
EMULATION = "emulation image"
"""How the provenance of every emulation image begins."""
PROVENANCE = f"{EMULATION}, made by harness generate; no real bitstream has been built"

_BOARD = re.compile(r"[a-z][a-z0-9-]{0,31}")
_VERSION = re.compile(r"\d{1,6}\.\d{1,6}\.\d{1,6}")
_MAX_CLOCK_HZ = 1_000_000_000
_LISTS = (("boards",), ("accelerator", "library"), ("accelerator", "sources"))


@dataclass(frozen=True, slots=True)
class Image:
    """The files that configure one board with one overlay, found to belong together.

    Args:
        bit: Configuration image.
        hwh: Hardware description; none for a board without a processing system.
        toml: Record of digest, hashes and provenance.
        board: Board name.
        digest: Overlay digest, 32 hex digits.
        bit_sha256: Of the `.bit`.
        hwh_sha256: Of the `.hwh`.
        provenance: How the `.bit` came to be.
        clock_hz: Fabric clock it is built for.
    """

    bit: Path
    hwh: Path | None
    toml: Path
    board: str
    digest: str
    bit_sha256: str
    hwh_sha256: str | None
    provenance: str
    clock_hz: int


@dataclass(frozen=True)
class Overlay:
    """A parsed manifest. Frozen; the digest is computed once, from the files as they are then.

    Args:
        schema: Format of the manifest.
        name: Overlay, folder and image name.
        version: Of the design, major.minor.patch.
        summary: One line.
        clock_hz: Fabric clock the design is built for.
        boards: Names of `harness.inventory`.
        accelerator: The design under test.
        input: Stream towards it.
        output: Stream from it.
        bench: Sizes of the measuring IP.
        gpio_bits: Width of an AXI GPIO beside it, `axi_gpio_leds`, for tests of the way to the
            board; 0 for none. Its outputs are left open.
        memory: Its port to external memory, for weights that lie there; None without one.
        root: Folder that holds `overlays/` and `bitstreams/`.
    """

    schema: int
    name: str
    version: str
    summary: str
    clock_hz: int
    boards: Sequence[str]
    accelerator: Accelerator
    input: Stream
    output: Stream
    bench: BenchSizes = field(default_factory=BenchSizes)
    gpio_bits: int = 0
    memory: MemoryPort | None = None

    root: Path = field(init=False, compare=False)

    def __post_init__(self) -> None:
        need(self.schema == SCHEMA, f"this harness reads schema {SCHEMA}", "schema", self.schema)
        need(NAME.fullmatch(self.name), "must be a lower_case word", "name", self.name)
        versioned = _VERSION.fullmatch(self.version)
        need(versioned, "must be major.minor.patch", "version", self.version)
        need(self.summary.isprintable(), "must be one printable line", "summary", self.summary)
        within(self.clock_hz, 1, _MAX_CLOCK_HZ, "clock_hz")
        within(self.gpio_bits, 0, 32, "gpio_bits")
        object.__setattr__(self, "boards", tuple(self.boards))
        need(self.boards, "names no board", "boards")
        for board in self.boards:
            need(_BOARD.fullmatch(board), "is no board name", "boards", board)
            need(self.boards.count(board) == 1, "names a board twice", "boards", board)
        if self.memory is not None:
            need(self.accelerator.model, "has no model whose weights it could hold", "memory")
        self.bench.check_windows(self.input.beat_bytes, self.output.beat_bytes)

    @property
    def folder(self) -> Path:
        """`overlays/<name>`."""
        return self.root / OVERLAYS / self.name

    @property
    def manifest_path(self) -> Path:
        """The file this was parsed from."""
        return self.folder / "overlay.toml"

    @property
    def model_path(self) -> Path | None:
        """The model file, or none."""
        model = self.accelerator.model
        return None if model is None else inside(self.folder, model, self.root)

    @cached_property
    def model(self) -> Model | None:
        """The model, or none.

        Raises:
            OverlayError: The model file is wrong.
        """
        return None if self.model_path is None else load_model(self.model_path)

    @cached_property
    def streamed(self) -> Streamed | None:
        """How its weights lie in external memory; None for an overlay without a port to one.

        Raises:
            OverlayError: The model file is wrong, or its weights cannot be streamed.
        """
        if self.memory is None or self.model is None:
            return None
        return Streamed(self.model, self.memory.lanes, self.memory.data_bits // 8)

    @property
    def network_sources(self) -> tuple[str, ...]:
        """The sources generated from the model, below the overlay's folder; none without one.

        Where the weights come from memory the accelerator is written by hand.
        """
        if self.accelerator.model is None:
            return ()
        package, top = (f"rtl/{self.accelerator.module}{end}.sv" for end in ("_weights_pkg", ""))
        return (package, top) if self.memory is None else (package,)

    @property
    def generated_rtl(self) -> tuple[Path, Path]:
        """The generated register package and top. They carry the digest, so they are not in it."""
        return self.folder / "rtl" / "overlay_pkg.sv", self.folder / "rtl" / "fabric_top.v"

    @property
    def written_rtl(self) -> tuple[Path, ...]:
        """Sources that are not generated from the manifest, packages first, leaves before users."""
        library = self.root / OVERLAYS / "lib" / "rtl"
        files = sorted((library / "bench").glob("*.sv"))
        if not files:
            raise OverlayError("has no sources of stream_bench", where=str(library / "bench"))
        model = self.model if self.memory is None else None
        used = model.library if model is not None else ()
        sources = (*self.accelerator.sources, *self.network_sources)
        files += [inside(library, path, self.root) for path in (*used, *self.accelerator.library)]
        files += [inside(self.folder, path, self.root) for path in sources]
        return tuple(sorted(files, key=lambda path: not path.name.endswith("_pkg.sv")))

    @property
    def uart_rtl(self) -> tuple[Path, ...]:
        """Sources of the serial bridge, package first; top is `fabric_uart`, around `fabric_top`.

        They are not in the digest: what is measured is the same, however the host reaches it, and
        the bridge says its own version.
        """
        files = (self.root / OVERLAYS / "lib" / "rtl" / "uart").glob("*.sv")
        return tuple(sorted(files, key=lambda path: (not path.name.endswith("_pkg.sv"), path)))

    @property
    def waivers(self) -> tuple[Path, ...]:
        """Verilator waiver files of the library, to be read before the sources."""
        return tuple(sorted((self.root / OVERLAYS / "lib" / "rtl").glob("*/*.vlt")))

    @cached_property
    def digest(self) -> str:
        """Identity of the design: SHA-256 of manifest, registers and sources, 128 bits in hex."""
        described = dataclasses.asdict(self)
        del described["root"]
        if self.memory is None:  # as it was before there were such ports
            del described["memory"]
        if self.accelerator.weights == "on-chip":
            del described["accelerator"]["weights"]  # the default; says nothing that sources do not
        for item in described["accelerator"]["registers"]:
            if item["most"] is None:  # as it was before registers could have bounds
                del item["least"], item["most"]
        registers = [dataclasses.asdict(item) for item in REGISTERS]
        windows = [dataclasses.asdict(item) for item in WINDOWS]
        layout = [GENERATOR_VERSION, ABI, MAGIC, UNMAPPED_WORD, registers, windows]
        parts = [("manifest", _canonical(described)), ("registers", _canonical(layout))]
        paths = [*self.written_rtl, *([self.model_path] if self.model_path else [])]
        return digest_files(parts, paths, self.root)

    def rtl_sources(self) -> tuple[Path, ...]:
        """Return all sources in compilation order, the top last.

        Raises:
            OverlayError: A file is missing, or a generated one belongs to another digest.
        """
        package, top = self.generated_rtl
        for path in (package, top):
            head = read_bytes(path, OverlayError, self._regenerate)[:1024]
            match = re.search(rb"overlay digest ([0-9a-f]{32})", head)
            found = match[1].decode() if match else "none"
            if found != self.digest:
                raise OverlayError(
                    "is stale",
                    where=str(path),
                    why=f"its digest is {found}, the overlay's {self.digest}",
                    hint=self._regenerate,
                )
        return (package, *self.written_rtl, top)

    def image_paths(self, board: str) -> tuple[Path, Path, Path]:
        """Where the `.bit`, `.hwh` and `.toml` of a board lie, existing or not.

        A board without a processing system has no `.hwh`.
        """
        stem = self.root / "bitstreams" / self.name / board
        return stem.with_suffix(".bit"), stem.with_suffix(".hwh"), stem.with_suffix(".toml")

    def built_clock_hz(self, board: str) -> int:
        """Return the fabric clock that a board's image is built for."""
        return find_board(board).fixed_clock_hz or self.clock_hz

    def image(self, board: str) -> Image:
        """Return the image for a board, checked against its record.

        Raises:
            OverlayError: The overlay does not name this board.
            ImageError: A file is missing, changed, or of another digest.
        """
        if board not in self.boards:
            hint = tomlfile.near(board, list(self.boards))
            raise OverlayError(f"{self.name} is not made for {board!r}", where="boards", hint=hint)
        bit, hwh, record = self.image_paths(board)
        if not record.is_file():
            raise ImageError("there is no image", where=str(record), hint=self._regenerate)
        told = tomlfile.structure(
            tomlfile.read(record, ImageError), _Record, str(record), ImageError
        )
        has_hwh = find_board(board).uart is None
        hashes = {
            path: sha256_of(path, ImageError, self._regenerate)
            for path in ((bit, hwh) if has_hwh else (bit,))
        }
        for path, key, expected, found in (
            (record, "overlay", self.name, told.overlay),
            (record, "board", board, told.board),
            (record, "digest", self.digest, told.digest),
            (bit, "sha256", told.bit_sha256, hashes[bit]),
            (hwh, "sha256", told.hwh_sha256, hashes.get(hwh)),
        ):
            if expected != found:
                raise ImageError(
                    f"{key} does not match",
                    where=str(path),
                    why=f"found {found}, expected {expected}",
                    hint=self._regenerate,
                )
        return Image(
            bit=bit,
            hwh=hwh if has_hwh else None,
            toml=record,
            board=board,
            digest=told.digest,
            bit_sha256=told.bit_sha256,
            hwh_sha256=told.hwh_sha256,
            provenance=told.provenance,
            clock_hz=self.built_clock_hz(board),
        )

    @property
    def _regenerate(self) -> str:
        return f"run: harness generate {self.name}"


@dataclass(frozen=True, slots=True)
class _Record:
    """What `bitstreams/<name>/<board>.toml` says."""

    schema: int
    overlay: str
    board: str
    digest: str
    bit_sha256: str
    provenance: str
    hwh_sha256: str | None = None


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def parse_overlay(path: Path, root: Path) -> Overlay:
    """Parse a manifest.

    Args:
        path: The `overlay.toml`.
        root: Folder that holds `overlays/`.

    Raises:
        OverlayError: Something in it is wrong; the message names file and key.
    """
    where = str(path)
    data = tomlfile.read(path, OverlayError)
    for keys in _LISTS:
        _check_list(data, keys, where)
    overlay = tomlfile.structure(data, Overlay, where, OverlayError)
    object.__setattr__(overlay, "root", root)
    if overlay.name != path.parent.name:
        raise OverlayError(
            f"is {overlay.name!r} in folder {path.parent.name!r}",
            where=f"{where}: name",
            hint="give both the same name",
        )
    for key, files in (
        ("library", overlay.accelerator.library),
        ("sources", overlay.accelerator.sources),
        ("model", [overlay.accelerator.model] if overlay.accelerator.model else []),
    ):
        base = root / OVERLAYS / "lib" / "rtl" if key == "library" else overlay.folder
        for item in files:
            inside(base, item, root, where=f"{where}: accelerator.{key}")
    return overlay


def _check_list(data: dict[str, Any], keys: tuple[str, ...], where: str) -> None:
    """Refuse a string where a list belongs: it would be taken for a list of letters."""
    value: object = data
    for key in keys:
        value = value.get(key, []) if isinstance(value, dict) else []
    if not isinstance(value, list):
        raise OverlayError(
            "must be a list of strings",
            where=f"{where}: {'.'.join(keys)}",
            why=f"got {value!r}",
            hint='write it in brackets, as in ["a", "b"]',
        )


def list_overlays(root: Path | None = None) -> tuple[str, ...]:
    """Return the names of all overlays, sorted."""
    folder = (root or project_root()) / OVERLAYS
    found = (path.parent.name for path in folder.glob("*/overlay.toml"))
    return tuple(sorted(name for name in found if NAME.fullmatch(name)))


def find_overlay(name: str, root: Path | None = None) -> Overlay:
    """Return the overlay of that name.

    Raises:
        OverlayError: There is none, or its manifest is wrong.
    """
    root = root or project_root()
    if name not in list_overlays(root):
        hint = tomlfile.near(name, list(list_overlays(root)))
        raise OverlayError(f"unknown overlay {name!r}", where=str(root / OVERLAYS), hint=hint)
    return parse_overlay(inside(root / OVERLAYS / name, "overlay.toml", root), root)
