"""Files of overlays: where the project's data lies, paths that stay inside it, hashes."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.errors import InputError, OverlayError

if TYPE_CHECKING:
    from collections.abc import Iterable

OVERLAYS = "overlays"
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def project_root() -> Path:
    """Return the folder that holds `overlays/`, `bitstreams/` and `benchmarks/`.

    That is $HARNESS_ROOT, else the checkout around this package, else the data inside the installed
    wheel.

    Raises:
        OverlayError: $HARNESS_ROOT has no `overlays/`, or there is no data at all.
    """
    package = Path(__file__).resolve().parent
    chosen = os.environ.get("HARNESS_ROOT")
    candidates = [Path(chosen)] if chosen else [package.parent, package / "_data"]
    for candidate in candidates:
        # `lib` tells our folder from any other that happens to be called overlays.
        if (candidate / OVERLAYS / "lib").is_dir():
            return candidate.resolve()
    raise OverlayError(
        "there is no folder overlays/lib",
        where=" or ".join(map(str, candidates)),
        hint="set HARNESS_ROOT to a checkout of the project",
    )


def inside(base: Path, relative: str, root: Path, where: str = "") -> Path:
    """Return `base / relative` if it is a file below `root/overlays`, links followed.

    Raises:
        OverlayError: The path is absolute, climbs, leaves `overlays/` by a link, or is no file.
    """
    where = where or str(base)
    parts = PurePosixPath(relative).parts
    if not parts or not all(_SAFE.fullmatch(part) for part in parts):
        raise OverlayError(
            "is not a plain relative path",
            where=where,
            why=f"got {relative!r}",
            hint="letters, digits, _ . - and / between folders; no .. and no leading /",
        )
    path = base.joinpath(*parts)
    if not path.resolve().is_relative_to((root / OVERLAYS).resolve()):
        raise OverlayError("leaves the folder overlays/ by a link", where=where, why=str(path))
    if not path.is_file():
        raise OverlayError("names a file that does not exist", where=where, why=str(path))
    return path


def read_bytes(path: Path, error: type[InputError], hint: str = "") -> bytes:
    """Return the content of a file.

    Raises:
        InputError: As `error`: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as cause:
        why = cause.strerror or str(cause)
        raise error("cannot be read", where=str(path), why=why, hint=hint) from cause


def sha256_of(path: Path, error: type[InputError], hint: str = "") -> str:
    """Return the SHA-256 of a file, in hex.

    Raises:
        InputError: As `error`: it cannot be read.
    """
    return hashlib.sha256(read_bytes(path, error, hint)).hexdigest()


def digest_files(parts: Iterable[tuple[str, bytes]], paths: Iterable[Path], root: Path) -> str:
    """Return 128 bits of SHA-256 over named parts and files, in hex.

    Every part goes in with its name and length, so that no two different inputs look the same.

    Raises:
        OverlayError: A file cannot be read.
    """
    digest = hashlib.sha256()
    named = ((path.relative_to(root).as_posix(), read_bytes(path, OverlayError)) for path in paths)
    for name, content in (*parts, *named):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:32]
