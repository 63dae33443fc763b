"""The flow forward and backward in numpy: latent -> rotations, rows by turns -> rows by the latent."""

from __future__ import annotations

import numpy as np

from ... import rotations_np
from ...priors.architectures import PReLU
from ...priors.layers import SCALE_BOUND
from ...priors.prior import Prior
from ...identity_cache import IdentityCache
from ...core.skeleton import NUM_BODY_JOINTS, NUM_JOINTS
from .tables import UP

_flows = IdentityCache()
_ONE = np.float32(1)
_EPSILON = np.zeros((3, 3, 3))
for _i, _j, _k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _EPSILON[_i, _j, _k], _EPSILON[_i, _k, _j] = 1, -1


class LeanFlow:
    """A prior's arrays, and its way there and back."""

    def __init__(self, prior: Prior) -> None:
        self.dim, self.kind = prior.dim, prior.representation.name
        self.weights = [d.weight.detach().numpy() for d in prior.flow.dense]
        self.forward_weights = [np.ascontiguousarray(w.T) for w in self.weights]
        self.biases = [d.bias.detach().numpy() for d in prior.flow.dense]
        self.steps = [_PReLU(s) if isinstance(s, PReLU) else _Coupling(s) for s in prior.flow.steps]

    @staticmethod
    def of(prior: Prior) -> LeanFlow:
        """The numpy form of a prior, kept; `lean_flow()` of a prior of the caller's own."""
        if not isinstance(prior, Prior):
            return _flows.get((prior,), prior.lean_flow)
        return _flows.get((prior.flow,), lambda: LeanFlow(prior))

    def decode(self, z: np.ndarray) -> tuple[np.ndarray, tuple]:
        """(S, D) -> rotations (S, 23, 3, 3), trace."""
        trace = []
        h = z @ self.forward_weights[0] + self.biases[0]
        for i, step in enumerate(self.steps):
            h, state = step.forward(h)
            trace.append(state)
            h = h @ self.forward_weights[i + 1] + self.biases[i + 1]
        x = h.reshape(len(z), NUM_BODY_JOINTS, -1)
        if self.kind == "6d":
            rotations = _sixd_to_matrix(x)
        elif self.kind == "axis_angle":
            rotations = rotations_np.axis_angle_to_matrix(x)
        else:
            rotations = rotations_np.project_to_rotation(x.reshape(len(z), NUM_BODY_JOINTS, 3, 3))
        return rotations, (x, trace)

    def pull_back(
        self, trace: tuple, rotations: np.ndarray, world: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        """Rows by turns in the world of all 24 joints -> rows by z. (S, M, 72) -> (S, M, D)."""
        x, states = trace
        table = getattr(self, "_by_" + self.kind)(x, rotations[:, 1:], world)
        turns = rows.reshape(*rows.shape[:2], NUM_JOINTS, 3)[:, :, 1:]
        # three products of small rank are cheaper than a batched product a joint
        out = turns[..., 0, None] * table[:, None, :, 0]
        out += turns[..., 1, None] * table[:, None, :, 1]
        out += turns[..., 2, None] * table[:, None, :, 2]
        out = out.reshape(*rows.shape[:2], self.dim) @ self.weights[-1]
        for i in range(len(self.steps) - 1, -1, -1):
            out = self.steps[i].backward(states[i], out) @ self.weights[i]
        return out

    @staticmethod
    def _by_6d(x: np.ndarray, rotations: np.ndarray, world: np.ndarray) -> np.ndarray:
        a1, a2 = x[..., :3], x[..., 3:]
        b1, b2, b3 = rotations[..., 0], rotations[..., 1], rotations[..., 2]
        c = world[:, 1:]
        inverse_a1 = 1 / np.sqrt((a1 * a1).sum(-1))[..., None, None]
        inverse_u2 = 1 / (b2 * a2).sum(-1)[..., None, None]
        along = (b1 * a2).sum(-1)[..., None, None]
        first, second, third = c[..., 0, None], c[..., 1, None], c[..., 2, None]
        by_a1 = (
            third * b2[..., None, :] - (second + first * (along * inverse_u2)) * b3[..., None, :]
        ) * inverse_a1
        return np.concatenate((by_a1, first * (b3[..., None, :] * inverse_u2)), -1)

    @staticmethod
    def _by_axis_angle(x: np.ndarray, rotations: np.ndarray, world: np.ndarray) -> np.ndarray:
        return world[:, UP[1:]] @ left_jacobian(x)

    @staticmethod
    def _by_matrix(x: np.ndarray, rotations: np.ndarray, world: np.ndarray) -> np.ndarray:
        matrix = x.reshape(rotations.shape)
        stretch = rotations.swapaxes(-1, -2) @ matrix
        stretch = 0.5 * (stretch + stretch.swapaxes(-1, -2))
        trace = np.trace(stretch, axis1=-2, axis2=-1)[..., None, None]
        to_local = world[:, 1:] @ np.linalg.inv(trace * np.eye(3, dtype=x.dtype) - stretch)
        turned = np.einsum("sjxy,cyz->sjcxz", rotations, -_EPSILON.astype(x.dtype))
        return np.einsum("sjbc,sjcm->sjbm", to_local, turned.reshape(*turned.shape[:3], 9))


def _sixd_to_matrix(x: np.ndarray) -> np.ndarray:
    """As `rotations.sixd_to_matrix`, by columns: numpy's norm and cross cost more than the whole."""
    a = np.moveaxis(x, -1, 0)
    first = a[:3] / np.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])
    second = a[3:] - (first[0] * a[3] + first[1] * a[4] + first[2] * a[5]) * first
    second /= np.sqrt(second[0] * second[0] + second[1] * second[1] + second[2] * second[2])
    out = np.empty((*x.shape[:-1], 3, 3), x.dtype)
    for i in range(3):
        out[..., i, 0], out[..., i, 1] = first[i], second[i]
        out[..., i, 2] = first[i - 2] * second[i - 1] - first[i - 1] * second[i - 2]
    return out


def left_jacobian(vector: np.ndarray) -> np.ndarray:
    squared = (vector * vector).sum(-1)[..., None, None]
    small = squared < 1e-6
    safe = np.where(small, 1, squared)
    angle = np.sqrt(safe)
    first = np.where(small, 0.5 - squared / 24, (1 - np.cos(angle)) / safe)
    second = np.where(small, 1 / 6 - squared / 120, (angle - np.sin(angle)) / (safe * angle))
    cross = np.einsum("...c,cyz->...yz", vector, -_EPSILON.astype(vector.dtype))
    return np.eye(3, dtype=vector.dtype) + first * cross + second * (cross @ cross)


class _PReLU:
    def __init__(self, step: PReLU) -> None:
        self.slope = step.slope.detach().numpy()[0]

    def forward(self, h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        slopes = np.where(h > 0, _ONE, self.slope)
        return h * slopes, slopes[:, None]

    def backward(self, slopes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return rows * slopes


class _Coupling:
    def __init__(self, step) -> None:
        half = step.scale_weight0.shape[1]
        halves = (slice(0, half), slice(half, 2 * half))
        self.kept: slice
        self.changed: slice
        self.kept, self.changed = halves if step.first_half else halves[::-1]
        self.nets = {
            net: [
                (
                    getattr(step, f"{net}_weight{i}").detach().numpy(),
                    getattr(step, f"{net}_bias{i}").detach().numpy(),
                )
                for i in range(3)
            ]
            for net in ("scale", "shift")
        }

    def forward(self, h: np.ndarray) -> tuple[np.ndarray, tuple]:
        a, b = h[:, self.kept], h[:, self.changed]
        slopes, outputs = [], []
        for net in self.nets.values():
            hidden0 = np.tanh(a @ net[0][0].T + net[0][1])
            hidden1 = np.tanh(hidden0 @ net[1][0].T + net[1][1])
            outputs.append(hidden1 @ net[2][0].T + net[2][1])
            slopes += [1 - hidden0 * hidden0, 1 - hidden1 * hidden1]
        scale = SCALE_BOUND * np.tanh(outputs[0] / SCALE_BOUND)
        gain = np.exp(scale)
        out = h.copy()
        out[:, self.changed] = b * gain + outputs[1]
        slopes += [gain, b * gain * (1 - (scale / SCALE_BOUND) ** 2)]
        return out, tuple(s[:, None] for s in slopes)

    def backward(self, state: tuple, rows: np.ndarray) -> np.ndarray:
        scale0, scale1, shift0, shift1, gain, by_raw = state
        row_b = rows[..., self.changed]
        out = rows.copy()
        for net, upstream, slope0, slope1 in (
            ("scale", row_b * by_raw, scale0, scale1),
            ("shift", row_b, shift0, shift1),
        ):
            first, second, third = (weight for weight, _ in self.nets[net])
            out[..., self.kept] += (((upstream @ third) * slope1) @ second * slope0) @ first
        out[..., self.changed] = row_b * gain
        return out
