"""Folders of files with a manifest of their SHA-256, read only as they were written.

A manifest is written last: what lacks it was never finished. Files are hashed in chunks and stay
open, so that what is read is what was verified, in memory that does not grow with them.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from harness.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MANIFEST: Final = "manifest.json"
SCHEMA: Final = 1
_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Sealed:
    """A finished folder, of which only the manifest has been read.

    Args:
        path: Where it lies.
        digests: SHA-256 in hex by file name, as the manifest lists them.
    """

    path: Path
    digests: Mapping[str, str]

    @contextmanager
    def file(self, name: str) -> Iterator[IO[bytes]]:
        """Open a listed file that is as it was written.

        Raises:
            StorageError: It is missing, damaged or was changed.
        """
        path = self.path / name
        with _opened(path) as file:
            try:
                digest = hashlib.sha256()
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
                file.seek(0)
            except OSError as cause:
                raise _unreadable(path, cause) from cause
            if digest.hexdigest() != self.digests[name]:
                raise StorageError(
                    "is not what was written",
                    where=str(path),
                    why=f"its SHA-256 {digest.hexdigest()[:16]}... is not the one in {MANIFEST}",
                    hint="the file was changed or damaged; repeat the run",
                )
            yield file

    def read(self, name: str) -> bytes:
        """Return the content of a listed file that is as it was written.

        Raises:
            StorageError: It is missing, damaged or was changed.
        """
        with self.file(name) as file:
            return file.read()

    def verify(self) -> None:
        """Read every file and compare it with the manifest.

        Raises:
            StorageError: A file is missing, damaged or was changed.
        """
        for name in self.digests:
            with self.file(name):
                pass


def unseal(path: Path) -> Sealed:
    """Return a finished folder, whose manifest is sound.

    Raises:
        StorageError: It was never finished, its manifest is damaged, or a newer harness wrote it.
    """
    where = path / MANIFEST
    if path.name.startswith("."):
        raise StorageError(
            "is a run that was never written to its end", where=str(path), hint="delete it"
        )
    if not where.is_file():
        raise StorageError(
            "is not a finished run",
            where=str(path),
            why=f"there is no {MANIFEST}, which is written last",
            hint="give the folder of one run",
        )
    with _opened(where) as file:
        manifest = parse_json(file.read(_CHUNK_BYTES), where)
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    listed = manifest.get("files") if isinstance(manifest, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise StorageError(
            f"was written by a newer harness, in schema {schema}",
            where=str(where),
            why=f"this one reads up to {SCHEMA}",
            hint="update the harness",
        )
    if schema != SCHEMA or not isinstance(listed, dict):
        raise StorageError("is not a manifest of a run", where=str(where))
    return Sealed(path, {name: _digest(name, entry, where) for name, entry in listed.items()})


def seal(files: Mapping[str, bytes]) -> bytes:
    """Return the manifest of files, by their plain names."""
    digests = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    return as_json({"schema": SCHEMA, "files": digests})


def parse_json(content: bytes, where: Path) -> Any:
    """Return what a file holds.

    Raises:
        StorageError: It is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as cause:
        raise StorageError("is not JSON", where=str(where), why=str(cause)) from cause


def as_json(content: object) -> bytes:
    """Return the content of a JSON file.

    Raises:
        ValueError: A number is not finite.
    """
    # NaN is no JSON, and no result either.
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def _digest(name: str, entry: object, where: Path) -> str:
    digest = entry.get("sha256") if isinstance(entry, dict) else None
    if Path(name).name != name:
        raise StorageError(f"lists {name!r}, which is not a plain file name", where=str(where))
    if not isinstance(digest, str):
        raise StorageError(f"lists {name!r} without its SHA-256", where=str(where))
    return digest


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except (OSError, ValueError) as cause:
        raise _unreadable(path, cause) from cause
    with file:
        yield file


def _unreadable(path: Path, cause: Exception) -> StorageError:
    why = getattr(cause, "strerror", None) or str(cause)
    return StorageError("cannot be read", where=str(path), why=why)
