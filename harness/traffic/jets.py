"""Jets at a hadron collider: 16 substructure observables, five classes.

The workload is that of the LHC's jet tagger benchmark: observables and classes have its names and
its order, and the preprocessing is the reference's (standardise, floor to 16 bits of which 6 are
integer, sign included, wrap; see fastml-science `jet-classify`). **The numbers are ours.** They
were not fitted to the public samples (OpenML 42468): they were chosen by hand so that the
observables behave as theirs do and so that a 64-32-32 perceptron classifies about three quarters
of the jets correctly, as published ones do. Accuracies on these events compare with one another,
not with the literature's.

Each class is a Gaussian copula. A latent vector g with the class's means, spreads and
correlations (strong inside a family of energy correlators, weak between families) passes through
one monotone curve per observable: a shifted exponential of the skewness wanted, floored to whole
particles for the multiplicity. Ratios of correlators (D2, M2) have a denominator that grooming
can bring close to zero, hence a power-law tail; it puts some 0.6 % of the jets out of the
format's range, where wrapping and saturating differ.

Speed and portability come from doing this in integers: a normal deviate is a look-up by 16 random
bits in steps of 2**-10, the mixing a float32 matrix product whose sums stay below 2**24 and are
thus exact, a curve a look-up in steps of 2**-10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.accelerators import NumberFormat
from harness.traffic import deviates
from harness.traffic.events import BLOCK_EVENTS, Events, in_blocks, random_words

JET_FORMAT = NumberFormat(width=16, integer=6, signed=True)
JET_LABELS = ("g", "q", "w", "z", "t")


@dataclass(frozen=True, slots=True)
class _Observable:
    """One input of the tagger.

    Args:
        name: The public samples' name.
        family: Index into the columns of the class tables below.
        loading: How far the class's mean moves this member of the family.
        skew: k of the curve (exp(k g) - 1) / k; its sign is that of the skewness.
        location: Mean over the classes, tails cut.
        scale: Standard deviation over the classes, tails cut.
        tail: Exponent of the power law, 0 for none.
        step: Size of a whole particle, 0 for a continuous observable.
    """

    name: str
    family: int
    loading: float
    skew: float
    location: float
    scale: float
    tail: float = 0.0
    step: float = 0.0


_ZLOGZ, _C1, _C2, _D2, _M2, _N2, _MASS, _MULTIPLICITY = range(8)

OBSERVABLES = (
    _Observable("zlogz", _ZLOGZ, 1.0, -0.35, -0.16, 0.99),
    _Observable("c1_b0_mmdt", _C1, 0.9, 0.1, 0.13, 0.91),
    _Observable("c1_b1_mmdt", _C1, 1.0, 0.3, 0.23, 0.98),
    _Observable("c1_b2_mmdt", _C1, 1.1, 0.5, 0.34, 1.10),
    _Observable("c2_b1_mmdt", _C2, 1.0, 0.3, 0.11, 1.00),
    _Observable("c2_b2_mmdt", _C2, 1.1, 0.5, 0.21, 1.11),
    _Observable("d2_b1_mmdt", _D2, 1.0, 0.5, 0.22, 1.18, tail=0.8),
    _Observable("d2_b2_mmdt", _D2, 1.0, 0.8, 0.40, 1.54, tail=0.7),
    _Observable("d2_a1_b1_mmdt", _D2, 1.0, 0.5, 0.22, 1.17, tail=0.8),
    _Observable("d2_a1_b2_mmdt", _D2, 1.1, 0.7, 0.36, 1.49, tail=0.7),
    _Observable("m2_b1_mmdt", _M2, 1.0, 0.2, 0.06, 0.93),
    _Observable("m2_b2_mmdt", _M2, 1.0, 0.4, 0.15, 1.01, tail=0.9),
    _Observable("n2_b1_mmdt", _N2, 1.0, 0.0, -0.07, 0.96),
    _Observable("n2_b2_mmdt", _N2, 1.1, 0.2, 0.02, 0.98),
    _Observable("mass_mmdt", _MASS, 1.0, 0.45, 0.39, 1.07),
    _Observable("multiplicity", _MULTIPLICITY, 1.0, 0.3, 0.16, 0.97, step=0.03125),
)

# Per class (rows as JET_LABELS) and family (columns as above), in latent units.
_MEANS = (
    (-0.55, 0.00, 0.50, 0.45, 0.30, 0.45, -0.65, 0.70),
    (0.45, -0.55, 0.10, 0.35, 0.20, 0.30, -0.95, -0.55),
    (0.30, 0.05, -0.55, -0.55, -0.45, -0.60, 0.30, -0.35),
    (0.20, 0.20, -0.50, -0.50, -0.40, -0.50, 0.64, -0.20),
    (-0.45, 0.75, 0.30, 0.10, 0.20, 0.00, 1.35, 0.65),
)
_SPREADS = (
    (0.90, 1.00, 0.90, 0.90, 0.90, 0.90, 1.00, 0.80),
    (0.95, 1.10, 1.00, 1.00, 1.00, 1.00, 1.00, 0.85),
    (0.85, 0.70, 0.90, 0.90, 0.90, 0.90, 0.25, 0.75),
    (0.85, 0.70, 0.90, 0.90, 0.90, 0.90, 0.27, 0.75),
    (0.80, 0.80, 0.80, 0.80, 0.80, 0.80, 0.35, 0.75),
)
# Correlation inside a family, per class, and each family's share in what all have in common.
_WITHIN = (0.86, 0.90, 0.92, 0.92, 0.84)
_COMMON = (-0.35, 0.50, 0.55, 0.40, 0.40, 0.45, 0.45, 0.40)
_TAIL_START = 2.25  # latent coordinate beyond which a curve with a tail leaves its exponential
_TAIL_END = 5.0  # flat from here: further up, wrapped values would depend on the last bit of erfc

_DEVIATE_BITS = 10  # LSB of a deviate, and of a curve's argument: 2**-10
_MIX_BITS = 8  # LSB of a mixing coefficient
_CURVE_BITS = 14  # entries of a curve: latent coordinates from -8 to 8
_HALF_CURVE = 1 << (_CURVE_BITS - 1)
_FIELDS = len(OBSERVABLES) + 1  # 16-bit random fields of an event: its deviates and its class


@dataclass(frozen=True, slots=True)
class _Tables:
    """What a block is made from.

    Args:
        deviates: Normal deviates by 16 random bits, in 2**-10, float32 [65536].
        mixing: Class's mixing matrix in 2**-8, float32 [classes, from, to].
        means: Class's means in 2**-18, float32 [classes, observables].
        curves: Raw values by latent coordinate in 2**-10, flat, int16 [observables * 16384].
    """

    deviates: NDArray[np.float32]
    mixing: NDArray[np.float32]
    means: NDArray[np.float32]
    curves: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Jets:
    """The source named `jets`: raw int16 events of 16 values in `JET_FORMAT`."""

    name: str = "jets"
    version: int = 1
    values: int = len(OBSERVABLES)
    number_format: NumberFormat = JET_FORMAT
    labels: tuple[str, ...] = JET_LABELS
    truth_names: tuple[str, ...] = ()

    def generate(self, events: int, seed: int) -> Events:
        """Make events, classes equally likely; see `Source.generate`."""
        return in_blocks(self, _block, events, seed)


def _block(seed: int, block: int) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
    """Return one block of raw values and true classes."""
    tables = _tables()
    count = len(OBSERVABLES)
    words = random_words(seed, block, _FIELDS * BLOCK_EVENTS // 4)
    fields = words.view("<u2").reshape(_FIELDS, BLOCK_EVENTS)
    classes = (fields[-1].astype(np.uint32) * len(JET_LABELS) >> 16).astype(np.int8)
    normal = tables.deviates.take(fields[:-1].reshape(BLOCK_EVENTS, count))
    offsets = np.arange(count, dtype=np.int32) << _CURVE_BITS
    raw = np.empty((BLOCK_EVENTS, count), dtype=np.int16)
    for label in range(len(JET_LABELS)):
        rows = np.flatnonzero(classes == label)
        latent = normal[rows] @ tables.mixing[label]
        latent += tables.means[label]
        place = latent.astype(np.int32) >> _MIX_BITS
        np.clip(place, -_HALF_CURVE, _HALF_CURVE - 1, out=place)
        place += offsets + _HALF_CURVE
        raw[rows] = tables.curves.take(place)
    return raw, classes


@lru_cache(maxsize=1)
def _tables() -> _Tables:
    """Return the tables, rounded so that the last digit of a logarithm cannot matter."""
    mixing = np.array([_mixing(label).T for label in range(len(JET_LABELS))])
    means = np.array([[row[o.family] * o.loading for o in OBSERVABLES] for row in _MEANS])
    curves = np.concatenate([_curve(observable) for observable in OBSERVABLES])
    return _Tables(
        deviates=deviates.normal(1 << _DEVIATE_BITS).astype(np.float32),
        mixing=np.rint(mixing * (1 << _MIX_BITS)).astype(np.float32),
        means=np.rint(means * (1 << (_DEVIATE_BITS + _MIX_BITS))).astype(np.float32),
        curves=JET_FORMAT.quantise(curves, "floor", "wrap").astype(np.int16),
    )


def _mixing(label: int) -> NDArray[np.float64]:
    """Return the matrix that gives independent deviates a class's covariance, [to, from]."""
    families = np.array([observable.family for observable in OBSERVABLES])
    common = np.array(_COMMON)[families]
    correlation = np.outer(common, common)
    correlation[families[:, None] == families[None, :]] = _WITHIN[label]
    np.fill_diagonal(correlation, 1.0)
    spread = np.array(_SPREADS[label])[families]
    matrix: NDArray[np.float64] = spread[:, None] * np.linalg.cholesky(correlation)
    return matrix


def _curve(observable: _Observable) -> NDArray[np.float64]:
    """Return standardised values by latent coordinate, float64 [16384]."""
    latent = (np.arange(-_HALF_CURVE, _HALF_CURVE) + 0.5) / (1 << _DEVIATE_BITS)
    exponent = observable.skew
    values = np.expm1(exponent * latent) / exponent if exponent else latent
    if observable.tail:
        start = math.expm1(exponent * _TAIL_START) / exponent
        # Survival of a normal deviate, turned into that of a power law from `start` on.
        beyond = latent > _TAIL_START
        places = np.minimum(latent[beyond], _TAIL_END).tolist()
        rest = np.array([math.erfc(place / math.sqrt(2)) for place in places])
        ratio = math.erfc(_TAIL_START / math.sqrt(2)) / rest
        values[beyond] = start * ratio ** (1 / observable.tail)
    if observable.step:
        values = np.floor(values / observable.step) * observable.step
    standard: NDArray[np.float64] = (values - observable.location) / observable.scale
    return standard
