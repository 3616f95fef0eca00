"""The files that a client of the virtual board may see: none of the host's.

Everything is in memory, below a few folders that exist on a board. Files of the kernel answer from
the board's state; writing the name of an image to fpga_manager's `firmware` configures the fabric.

pynq's own client uploads an image only if no file of its name exists, and so runs whatever another
design of the same file name has left. Here an image that was configured stays and can be read, but
to the question whether it exists the answer is no: it is uploaded anew.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Final

from harness.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FIRMWARE_FOLDER", "VirtualFiles"]

FIRMWARE_FOLDER: Final = "/lib/firmware/"
WRITABLE: Final = ("/tmp/", FIRMWARE_FOLDER, "/run/harness/", "/home/xilinx/")  # noqa: S108
MAX_FILE_BYTES: Final = 256 << 20
MAX_TOTAL_BYTES: Final = 512 << 20
MAX_FILES: Final = 4096
MAX_PATH: Final = 4096


class VirtualFiles:
    """A file system of byte strings.

    Args:
        kernel: Files that answer from elsewhere, path to a function that returns the content.
        commands: Files that act when written, path to a function that takes the content.
    """

    def __init__(
        self,
        kernel: Mapping[str, Callable[[], bytes]],
        commands: Mapping[str, Callable[[bytes], None]],
    ) -> None:
        self._kernel = kernel
        self._commands = commands
        self._files: dict[str, bytes] = {}
        self._used: set[str] = set()

    def exists(self, path: str) -> bool:
        """Whether there is such a file; False for paths that nobody may name, and used images."""
        known = path in self._kernel or path in self._commands or path in self._files
        return known and path not in self._used

    def read(self, path: str) -> bytes:
        """Return a file's content.

        Raises:
            FileNotFoundError: There is none, whatever the host has at that path.
        """
        if path in self._kernel:
            return self._kernel[path]()
        if path not in self._files:
            raise FileNotFoundError(path)
        return self._files[path]

    def write(self, path: str, content: bytes) -> None:
        """Replace a file, or give a command.

        Raises:
            PermissionError: The path is not one of the writable folders'.
            OSError: The file system is full.
            HarnessError: The command failed.
        """
        if path in self._commands:
            self._commands[path](content)
            return
        self._check(path)
        others = sum(len(data) for name, data in self._files.items() if name != path)
        if others + len(content) > MAX_TOTAL_BYTES or len(self._files) >= MAX_FILES:
            raise OSError(28, "No space left on device")
        self._files[path] = content
        self._used.discard(path)

    @staticmethod
    def _check(path: str) -> None:
        plain = "\0" not in path and len(path) <= MAX_PATH and posixpath.normpath(path) == path
        if not plain or not any(path.startswith(folder) for folder in WRITABLE):
            raise PermissionError(path)

    def firmware(self, name: str) -> bytes:
        """Return an image that was uploaded, to be configured.

        Raises:
            InputError: The name is a path, or there is no such image.
        """
        if "/" in name or name in {"", ".", ".."} or not name.isprintable():
            raise InputError(f"{name!r} is no file name", where="fpga_manager/firmware")
        path = FIRMWARE_FOLDER + name
        if path not in self._files:
            raise InputError("there is no such image", where=path, hint="upload it first")
        self._used.add(path)
        return self._files[path]
