"""The decoder of a compressor: dense layers in floating point, off the chip."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from harness.archives import DAMAGED
from harness.errors import OverlayError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LARGEST_BYTES: Final = 1 << 24
_HINT: Final = "train again"


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """Dense layers, ReLU between them.

    Args:
        layers: Weights, float64 [inputs, outputs], and biases, float64 [outputs], of each.
        shares: Whether the last values are shares of a whole, the very last one being nowhere.
    """

    layers: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    shares: bool

    @property
    def inputs(self) -> int:
        """Values of a code."""
        return len(self.layers[0][0])

    @property
    def outputs(self) -> int:
        """Values that it makes of one."""
        return len(self.layers[-1][1]) - self.shares

    def __call__(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what codes stand for, float64 [events, outputs]."""
        values = codes
        for number, (weights, bias) in enumerate(self.layers):
            values = (np.maximum(values, 0) if number else values) @ weights + bias
        if not self.shares:
            return values
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        made: NDArray[np.float64] = (powers / powers.sum(axis=1, keepdims=True))[:, :-1]
        return made


def load(path: Path, *, shares: bool) -> Decoder:
    """Read a decoder.

    Args:
        path: `.npz` with `weights_0`, `bias_0` and so on.
        shares: See `Decoder`.

    Raises:
        OverlayError: It cannot be read, or the layers do not go together.
    """
    arrays = _read(path)
    count = len(arrays) // 2
    names = [f"{kind}_{number}" for number in range(count) for kind in ("weights", "bias")]
    if not count or sorted(arrays) != sorted(names):
        raise OverlayError(
            "is no decoder",
            where=str(path),
            why=f"it holds {', '.join(sorted(arrays)) or 'nothing'}",
            hint="weights_0, bias_0, weights_1 and so on",
        )
    layers = tuple(
        (_real(arrays[f"weights_{number}"], 2, path), _real(arrays[f"bias_{number}"], 1, path))
        for number in range(count)
    )
    for number, (weights, bias) in enumerate(layers):
        coming = len(layers[number - 1][1]) if number else len(weights)
        if weights.shape != (coming, len(bias)):
            raise OverlayError(
                f"layer {number} does not fit",
                where=str(path),
                why=f"weights {weights.shape}, {coming} values in, {len(bias)} biases",
            )
    return Decoder(layers, shares)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file, which is hostile until it has been read.

    Raises:
        OverlayError: It cannot be read, or is larger than a decoder is.
    """
    try:
        with path.open("rb") as file:
            content = io.BytesIO(file.read(LARGEST_BYTES + 1))
        with zipfile.ZipFile(content) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
        if max(unpacked, content.getbuffer().nbytes) > LARGEST_BYTES:
            raise OverlayError("is larger than 16 MiB", where=str(path), hint=_HINT)
        with np.load(content, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except DAMAGED as error:
        raise OverlayError("cannot be read", where=str(path), why=str(error), hint=_HINT) from error


def _real(array: NDArray[Any], dimensions: int, path: Path) -> NDArray[np.float64]:
    if array.ndim != dimensions or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise OverlayError(
            "holds something else than finite numbers in the right shape",
            where=str(path),
            why=f"{array.dtype} {array.shape}",
        )
    return array.astype(np.float64)
