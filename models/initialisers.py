"""Initialisers: a random stream and a weight's shape to float64 values. Imports no torch.

The definitions are those of `torch.nn.init`; the numbers are not, because torch's CPU normals differ between
instruction sets. A shape is (out, in, *kernel): fan_in = in x kernel, fan_out = out x kernel.

Everything but the C library's logarithm inside RandomState's normals is plain IEEE arithmetic, the same on every
machine. With and without fused multiply-add, glibc's gives 5 in 100,000 normals another last bit (measured), which is
2^29 times finer than the float32 they are rounded to: about one weight in 10^13 differs, and its checksum tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Shape = tuple[int, ...]
Initialiser = Callable[[np.random.RandomState, Shape], Array]

PLAIN_STD = 0.1


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (out, in, *kernel), as torch.nn.init counts them.

    >>> fans((50, 20, 5, 5))
    (500, 1250)
    """
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def xavier_normal(generator: np.random.RandomState, shape: Shape) -> Array:
    """N(0, 2 / (fan_in + fan_out)) (Glorot and Bengio 2010), gain 1.

    Departs from the paper: normal, where the paper draws uniformly.
    """
    return generator.standard_normal(shape) * math.sqrt(2 / sum(fans(shape)))


def xavier_uniform(generator: np.random.RandomState, shape: Shape) -> Array:
    """U(-a, a), a = sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010), gain 1.

    Departs from the paper: nothing.
    """
    return (2 * generator.random_sample(shape) - 1) * math.sqrt(6 / sum(fans(shape)))


def he_normal(generator: np.random.RandomState, shape: Shape) -> Array:
    """N(0, 2 / fan_in) (He et al. 2015, arXiv:1502.01852), for ReLU.

    Departs from the paper: nothing.
    """
    return generator.standard_normal(shape) * math.sqrt(2 / fans(shape)[0])


def plain_normal(generator: np.random.RandomState, shape: Shape) -> Array:
    """N(0, 0.1^2), whatever the fans."""
    return generator.standard_normal(shape) * PLAIN_STD


def orthogonal(generator: np.random.RandomState, shape: Shape) -> Array:
    """A uniformly random (semi-)orthogonal matrix out x (in x kernel) (Saxe et al. 2014, arXiv:1312.6120), gain 1.

    Orthonormal rows if out <= in x kernel, orthonormal columns otherwise.
    Departs from the paper: convolutions are flattened, as in torch.nn.init.orthogonal_.
    """
    rows, columns = shape[0], math.prod(shape[1:])
    gaussian = generator.standard_normal((min(rows, columns), max(rows, columns)))
    # Rounded first: a last bit that differs in one normal would reach every later row.
    matrix = _orthonormal_rows(gaussian.astype(np.float32).astype(np.float64))
    return np.ascontiguousarray(matrix if rows <= columns else matrix.T).reshape(shape)


def _orthonormal_rows(matrix: Array) -> Array:
    """Gram-Schmidt, twice, because once leaves an error that grows with the condition number. Works in place.

    A library's QR would be shorter, but its bits depend on the BLAS, the CPU and the number of threads. Every operation
    here is elementwise, so rounded alike everywhere.
    """
    for _ in range(2):
        for i, row in enumerate(matrix):
            row /= np.sqrt(_folded_sum(row * row))
            below = matrix[i + 1 :]
            below -= _folded_sum(below * row)[:, np.newaxis] * row
    return matrix


def _folded_sum(values: Array) -> Array:
    """Sum over the last axis, by adding its second half to its first until one is left; overwrites `values`.

    `np.sum` and `np.dot` choose their order of additions by instruction set; this order is fixed, and twice as fast
    as the other fixed one, `np.cumsum`.
    """
    width = values.shape[-1]
    while width > 1:
        half = (width + 1) // 2
        values[..., : width - half] += values[..., half:width]
        width = half
    return values[..., 0]


INITIALISERS: dict[str, Initialiser] = {
    "xavier-normal": xavier_normal,
    "xavier-uniform": xavier_uniform,
    "he-normal": he_normal,
    "orthogonal": orthogonal,
    "normal": plain_normal,
}
