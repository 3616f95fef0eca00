"""A network as the architecture question sees it: weights, bits, multiplications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from harness.accelerators.model import Model


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with weights.

    Args:
        name: As in its file.
        kind: Such as `dense` or `conv2d`.
        fan_in: Products that are added up to one output value.
        weights: Numbers of the kernel, all of them fetched once an event.
        biases: Numbers added, likewise.
        multiplications: Products an event; more than weights where a kernel slides.
        weight_bits: Of a weight; None if the file does not say.
        bias_bits: Of a bias; None if the file does not say.
        input_bits: Of the values it multiplies with; None if the file does not say.
        nonzero: Weights that are not zero; None where values are not known.
    """

    name: str
    kind: str
    fan_in: int
    weights: int
    biases: int
    multiplications: int
    weight_bits: int | None = None
    bias_bits: int | None = None
    input_bits: int | None = None
    nonzero: int | None = None

    @property
    def parameters(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases

    @property
    def bits(self) -> int | None:
        """Bits of all its parameters."""
        if self.weight_bits is None or (self.biases and self.bias_bits is None):
            return None
        return self.weights * self.weight_bits + self.biases * (self.bias_bits or 0)

    @property
    def stored_bits(self) -> int | None:
        """Bits of its weights, stored in the cheapest of three ways; None if not known.

        All of them, zeros too, for which a single bit has no code; those that are not zero, and a
        bit for each place that says whether there is one; or those, each with the number of its
        input.
        """
        if self.weight_bits is None or self.nonzero is None:
            return None
        index_bits = max(1, (self.fan_in - 1).bit_length())
        some = self.nonzero * self.weight_bits + min(self.weights, self.nonzero * index_bits)
        all_of_them = self.weights * self.weight_bits
        has_zero = self.weight_bits > 1 or self.nonzero == self.weights
        return min(all_of_them, some) if has_zero else some


@dataclass(frozen=True, slots=True)
class Network:
    """A network.

    Args:
        name: What messages call it.
        source: File or document that it comes from.
        layers: Those with weights that were understood, in order.
        unsupported: Layers that were not, each with the reason; what they need is not counted.
        published_parameters: Where a source gives their number but not the shape.
        published_bits: Bits of a weight that go with it.
        published_nonzero: Parameters that are not zero, where a source gives their number.
    """

    name: str
    source: str
    layers: tuple[Layer, ...]
    unsupported: tuple[str, ...] = ()
    published_parameters: int | None = None
    published_bits: int | None = None
    published_nonzero: int | None = None

    @property
    def parameters(self) -> int | None:
        """Weights and biases of all layers understood, or as published; None if neither."""
        if self.layers:
            return sum(layer.parameters for layer in self.layers)
        return self.published_parameters

    @property
    def multiplications(self) -> int | None:
        """Products of an event; None without layers."""
        return sum(layer.multiplications for layer in self.layers) if self.layers else None

    @property
    def bits(self) -> int | None:
        """Bits of all parameters, packed without a gap; None if a width is not known."""
        if self.layers:
            parts = [layer.bits for layer in self.layers]
            return None if None in parts else sum(part or 0 for part in parts)
        if self.published_parameters is None or self.published_bits is None:
            return None
        return self.published_parameters * self.published_bits

    @property
    def nonzero(self) -> int | None:
        """Weights that are not zero, in all layers understood; None if not known."""
        known = [layer.nonzero for layer in self.layers if layer.nonzero is not None]
        return sum(known) if known and len(known) == len(self.layers) else None

    @property
    def bits_per_weight(self) -> float | None:
        """Bits stored for a weight that is not zero, see `Layer.stored_bits`; or None."""
        stored = [layer.stored_bits for layer in self.layers if layer.stored_bits is not None]
        if not self.nonzero or len(stored) != len(self.layers):
            return None
        return sum(stored) / self.nonzero

    @property
    def nonzero_bits(self) -> int | None:
        """Bits of the non-zero weights and all biases, without any index; None if not known."""
        if self.published_nonzero is not None and self.published_bits is not None:
            return self.published_nonzero * self.published_bits
        total = 0
        for layer in self.layers:
            if layer.bits is None or layer.nonzero is None or layer.weight_bits is None:
                return None
            total += layer.bits - (layer.weights - layer.nonzero) * layer.weight_bits
        return total if self.layers else None


@dataclass(frozen=True, slots=True)
class Workload:
    """What keeps the network busy.

    Args:
        name: Of the experiment or benchmark.
        interval_s: From one event to the next: for LHC trains that of the crossings inside a train,
            otherwise the mean.
        budget_s: Latency that is allowed; None if there is none or it is not published.
        process: Such as `lhc`, `periodic`, `bernoulli`.
        note: How the figures are to be read.
    """

    name: str
    interval_s: Fraction
    budget_s: Fraction | None
    process: str
    note: str = ""


def of_model(model: Model) -> Network:
    """Return the network of an overlay's model; biases are as wide as their values need."""
    layers = []
    for index, layer in enumerate(model.layers):
        work = layer.work
        if work is not None:
            layers.append(
                Layer(
                    name=f"layer {index + 1}",
                    kind=type(layer).__name__.lower(),
                    fan_in=work.fan_in,
                    weights=work.weights,
                    biases=work.biases,
                    multiplications=work.multiplications,
                    weight_bits=work.weight_bits,
                    bias_bits=work.bias_bits,
                    input_bits=layer.input.format.width,
                    nonzero=work.nonzero,
                )
            )
    return Network(name=model.name, source="model.json of the overlay", layers=tuple(layers))
