"""The normalizing flows of the paper's supplement: latent to pose and back, density, and rows
pulled back.

FC - step - FC - step - FC - step - FC - step - FC. Weights are stored from latent to pose, so that
decoding needs no inversion. A step is a kink (PReLU, one slope a layer, rounded by eps) or an
affine coupling (Dinh et al., Real NVP, 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Protocol

from . import representations
from .arrays import Array, Namespace

NUM_DENSE = 5
SCALE_BOUND = 2.0
Trace = tuple[Array, ...]


@dataclass(frozen=True)
class Kink:
    """u = p h + q sqrt(h^2 + eps^2), p = (1 + a) / 2, q = (1 - a) / 2, with slope a () > 0.

    eps = 0 is the paper's PReLU: h where positive, a h elsewhere.
    """

    slope: Array
    eps: float = 0.0

    def to_pose(self, xp: Namespace, h: Array) -> tuple[Array, Trace]:
        """(B, D) -> (B, D), trace: the slopes there, and the slopes of their logarithms."""
        if self.eps == 0:
            slopes = xp.where(h > 0, xp.ones_like(h), self.slope)
            return h * slopes, (slopes, xp.zeros_like(h))
        p, q = 0.5 * (1 + self.slope), 0.5 * (1 - self.slope)
        square = h * h + self.eps**2
        root = xp.sqrt(square)
        slopes = p + q * h / root
        return p * h + q * root, (slopes, q * self.eps**2 / (square * root * slopes))

    def to_latent(self, xp: Namespace, u: Array) -> tuple[Array, Array]:
        """Inverse (B, D) and its log-determinant (B,)."""
        if self.eps == 0:
            negative = u < 0
            logdet = -xp.log(self.slope) * xp.sum(xp.astype(negative, u.dtype), axis=-1)
            return xp.where(negative, u / self.slope, u), logdet
        p, q = 0.5 * (1 + self.slope), 0.5 * (1 - self.slope)
        h = (p * u - q * xp.sqrt(u * u + self.slope * self.eps**2)) / self.slope
        slopes = p + q * h / xp.sqrt(h * h + self.eps**2)
        return h, -xp.sum(xp.log(slopes), axis=-1)

    def pull_back(self, xp: Namespace, trace: Trace, rows: Array) -> Array:
        """Rows (B, M, D) by the output -> by the input."""
        return rows * trace[0][:, None]

    def volume(self, xp: Namespace, trace: Trace) -> tuple[Array, Array]:
        """log|det du/dh| (B,), and its gradient by the input (B, D)."""
        return xp.sum(xp.log(trace[0]), axis=-1), trace[1]


@dataclass(frozen=True)
class Coupling:
    """b' = b exp(s(a)) + t(a); a is the half that stays.

    scale and shift: three pairs of weight (O, I) and bias (O,), with tanh between.
    """

    scale: tuple[tuple[Array, Array], ...]
    shift: tuple[tuple[Array, Array], ...]
    first_half: bool

    def _halves(self, h: Array) -> tuple[Array, Array]:
        half = h.shape[-1] // 2
        first, second = h[..., :half], h[..., half:]
        return (first, second) if self.first_half else (second, first)

    def _joined(self, xp: Namespace, a: Array, b: Array) -> Array:
        return xp.concat((a, b) if self.first_half else (b, a), axis=-1)

    def _scale_shift(self, xp: Namespace, a: Array) -> tuple[Array, Array, Trace]:
        raw, scale_slopes = _network(xp, self.scale, a)
        shift, shift_slopes = _network(xp, self.shift, a)
        return SCALE_BOUND * xp.tanh(raw / SCALE_BOUND), shift, (*scale_slopes, *shift_slopes)

    def to_pose(self, xp: Namespace, h: Array) -> tuple[Array, Trace]:
        """(B, D) -> (B, D), trace."""
        a, b = self._halves(h)
        scale, shift, slopes = self._scale_shift(xp, a)
        gain = xp.exp(scale)
        by_raw = b * gain * (1 - (scale / SCALE_BOUND) ** 2)
        return self._joined(xp, a, b * gain + shift), (*slopes, gain, by_raw)

    def to_latent(self, xp: Namespace, u: Array) -> tuple[Array, Array]:
        """Inverse (B, D) and its log-determinant (B,)."""
        a, b = self._halves(u)
        scale, shift, _ = self._scale_shift(xp, a)
        return self._joined(xp, a, (b - shift) * xp.exp(-scale)), -xp.sum(scale, axis=-1)

    def pull_back(self, xp: Namespace, trace: Trace, rows: Array) -> Array:
        """Rows (B, M, D) by the output -> by the input."""
        slopes = [t[:, None] for t in trace]
        row_a, row_b = self._halves(rows)
        by_scale = _network_rows(self.scale, slopes[0:2], row_b * slopes[5])
        by_shift = _network_rows(self.shift, slopes[2:4], row_b)
        return self._joined(xp, row_a + by_scale + by_shift, row_b * slopes[4])

    def volume(self, xp: Namespace, trace: Trace) -> tuple[Array, Array]:
        """log|det du/dh| (B,), and its gradient by the input (B, D)."""
        scale = xp.log(trace[4])
        by_raw = (1 - (scale / SCALE_BOUND) ** 2)[:, None]
        by_a = _network_rows(self.scale, [t[:, None] for t in trace[0:2]], by_raw)[:, 0]
        return xp.sum(scale, axis=-1), self._joined(xp, by_a, xp.zeros_like(by_a))


def _network(
    xp: Namespace, layers: tuple[tuple[Array, Array], ...], a: Array
) -> tuple[Array, Trace]:
    """Tanh network, linear at the end, and the slopes of its tanhs. (B, I) -> (B, O)."""
    slopes = []
    for weight, bias in layers[:-1]:
        a = xp.tanh(a @ weight.T + bias)
        slopes.append(1 - a * a)
    return a @ layers[-1][0].T + layers[-1][1], tuple(slopes)


def _network_rows(
    layers: tuple[tuple[Array, Array], ...], slopes: list[Array], rows: Array
) -> Array:
    for (weight, _), slope in zip(layers[:0:-1], slopes[::-1], strict=True):
        rows = (rows @ weight) * slope
    return rows @ layers[0][0]


@dataclass(frozen=True)
class Flow:
    """Five weights (D, D) and biases (D,), four steps between, and the pose's representation."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    steps: tuple[Kink | Coupling, ...]
    representation: str
    inverses: tuple[tuple[Array, Array], ...] = ()

    def with_inverses(self, xp: Namespace) -> Flow:
        """The same flow with each weight's inverse and log|det| kept, for encoding many times."""
        kept = tuple((xp.linalg.inv(w), xp.linalg.slogdet(w)[1]) for w in self.weights)
        return replace(self, inverses=kept)

    def _dense_to_latent(self, xp: Namespace, x: Array, layer: int) -> tuple[Array, Array]:
        """Solves W z + b = x. -> z (B, D), -log|det W| ()."""
        offset = x - self.biases[layer]
        if self.inverses:
            inverse, logdet = self.inverses[layer]
            return offset @ inverse.T, -logdet
        weight = self.weights[layer]
        return xp.linalg.solve(weight, offset.T).T, -xp.linalg.slogdet(weight)[1]

    @property
    def dim(self) -> int:
        return int(self.weights[0].shape[0])

    def to_pose(self, xp: Namespace, z: Array) -> tuple[Array, tuple[Trace, ...]]:
        """Latent to the representation's space, without any inversion. (B, D) -> (B, D), trace."""
        traces = []
        x = z @ self.weights[0].T + self.biases[0]
        for step, weight, bias in zip(self.steps, self.weights[1:], self.biases[1:], strict=True):
            x, trace = step.to_pose(xp, x)
            traces.append(trace)
            x = x @ weight.T + bias
        return x, tuple(traces)

    def to_latent(self, xp: Namespace, x: Array) -> tuple[Array, Array]:
        """Exact inverse of `to_pose`, and log|det dz/dx|. (B, D) -> (B, D), (B,)."""
        h, total = self._dense_to_latent(xp, x, len(self.steps))
        for layer in range(len(self.steps) - 1, -1, -1):
            h, by_step = self.steps[layer].to_latent(xp, h)
            h, by_dense = self._dense_to_latent(xp, h, layer)
            total = total + by_step + by_dense
        return h, total

    def log_density(self, xp: Namespace, x: Array) -> Array:
        """log N(z; 0, I) + log|det dz/dx| (change of variables), in nats. (B, D) -> (B,)."""
        z, logdet = self.to_latent(xp, x)
        normal = -0.5 * xp.sum(z * z, axis=-1) - 0.5 * self.dim * math.log(2 * math.pi)
        return normal + logdet

    def decode(self, xp: Namespace, z: Array) -> tuple[Array, Any]:
        """Latent to rotations. (B, D) -> (B, 23, 3, 3), and what `pull_back` needs."""
        x, traces = self.to_pose(xp, z)
        pose = representations.to_matrix(xp, self.representation, x)
        return pose, (x, pose, traces)

    def pull_back(self, xp: Namespace, trace: Any, world: Array, rows: Array) -> Array:
        """Rows by turns in the world of the 23 body joints -> rows by the latent.

        The D x D Jacobian is never formed. world (B, 24, 3, 3), rows (B, M, 23, 3) -> (B, M, D).
        """
        x, pose, traces = trace
        table = representations.turns_by_vector(xp, self.representation, x, pose, world)
        by_x = turned_rows(rows, table).reshape((*rows.shape[:2], self.dim))
        by_x = by_x @ self.weights[-1]
        layers = zip(self.steps[::-1], traces[::-1], self.weights[-2::-1], strict=True)
        for step, step_trace, weight in layers:
            by_x = step.pull_back(xp, step_trace, by_x) @ weight
        return by_x

    def volume(self, xp: Namespace, trace: Any) -> tuple[Array, Array]:
        """log|det dx/dz| (B,) up to a constant, and its gradient by the latent (B, D)."""
        total, gradient = 0.0, xp.zeros_like(trace[0])
        layers = zip(self.steps[::-1], trace[2][::-1], self.weights[-2::-1], strict=True)
        for step, step_trace, weight in layers:
            value, by_input = step.volume(xp, step_trace)
            later = step.pull_back(xp, step_trace, gradient[:, None])[:, 0]
            total, gradient = total + value, (later + by_input) @ weight
        return total, gradient


def turned_rows(rows: Array, table: Array) -> Array:
    """Rows by turns -> rows by what turns. (B, M, J, 3), (B, J, 3, n) -> (B, M, J, n)."""
    # three products of small rank are cheaper than a batched product a joint
    out = rows[..., 0, None] * table[:, None, :, 0]
    out += rows[..., 1, None] * table[:, None, :, 1]
    out += rows[..., 2, None] * table[:, None, :, 2]
    return out


class Decoder(Protocol):
    """What the posterior needs of a prior: `Flow`, or a rival in a benchmark."""

    @property
    def dim(self) -> int: ...

    def decode(self, xp: Namespace, z: Array) -> tuple[Array, Any]:
        """(B, D) -> rotations (B, 23, 3, 3), trace."""
        ...

    def pull_back(self, xp: Namespace, trace: Any, world: Array, rows: Array) -> Array:
        """world (B, 24, 3, 3), rows (B, M, 23, 3) by turns in the world -> (B, M, D)."""
        ...

    def volume(self, xp: Namespace, trace: Any) -> tuple[Array, Array]:
        """log|det dx/dz| (B,) up to a constant, and its gradient by the latent (B, D)."""
        ...
