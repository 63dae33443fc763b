"""Smoothness of a motion: its accelerations, in the latent, of the root's turn and of the place.

With x at times t-1, t, t+1 (frames apart g and h), a = 2 [ (x_{t+1} - x_t) / h - (x_t - x_{t-1}) /
g ] / (g + h). The root's velocity is the rotation vector from one frame to the next, log(R_{t+1}
R_t'). Each acceleration is normal with its own deviation; the residual is a / deviation. People of
the state are the frames of one person.
"""

from dataclasses import dataclass

from ..arrays import Array, Namespace, per_person
from ..posterior import PosedState, State
from ..rotations import left_jacobian_inverse, matrix_to_axis_angle


@dataclass(frozen=True)
class SmoothWeights:
    """Deviations of accelerations a frame squared: latent (sigmas), root (radians), translation
    sideways and in depth (m)."""

    latent: float = 0.25
    root: float = 0.03
    sideways: float = 0.015
    depth: float = 0.03


@dataclass(frozen=True)
class Links:
    """Residuals of T - 2 triples of frames, and their slopes by the three.

    linear (T - 2, D + 3) of latent and place, by (T - 2, 3) `coefficients` over `deviation` (D +
    3,); turn (T - 2, 3), by left perturbations of the root (T - 2, 3, 3, 3): [which frame].
    """

    linear: Array
    coefficients: Array
    deviation: Array
    turn: Array
    turn_slopes: Array


@dataclass(frozen=True)
class Smoothness:
    """Half the squared residuals; frames (T,): rising numbers."""

    weights: SmoothWeights
    frames: Array = per_person()

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """Each triple counts for its middle frame. -> (T,) nats."""
        return self.energy(xp, posed.state)

    def energy(self, xp: Namespace, state: State) -> Array:
        """`value`, of which only the state matters."""
        if len(state.z) < 3:
            return xp.zeros_like(state.z[:, 0])
        links = self.rows(xp, state)
        total = 0.5 * (xp.sum(links.linear**2, axis=-1) + xp.sum(links.turn**2, axis=-1))
        none = xp.zeros_like(total[:1])
        return xp.concat((none, total, none))

    def rows(self, xp: Namespace, state: State) -> Links:
        """Residuals and slopes of all triples."""
        weights, frames = self.weights, self.frames
        before, after = frames[1:-1] - frames[:-2], frames[2:] - frames[1:-1]
        first, last = 2 / (before * (before + after)), 2 / (after * (before + after))
        x = xp.concat((state.z, state.transl), axis=1)
        a = first[:, None] * x[:-2] - (first + last)[:, None] * x[1:-1] + last[:, None] * x[2:]
        sideways = xp.full_like(state.transl[0, :2], weights.sideways)
        depth = xp.full_like(state.transl[0, 2:], weights.depth)
        deviation = xp.concat((xp.full_like(state.z[0], weights.latent), sideways, depth))
        velocity = matrix_to_axis_angle(xp, state.root[1:] @ state.root[:-1].swapaxes(-1, -2))
        turn = last[:, None] * velocity[1:] - first[:, None] * velocity[:-1]
        # log(exp(w1) M exp(-w0)) = m + Jl^-1(m) w1 - Jr^-1(m) w0, and Jr^-1(m) = Jl^-1(-m)
        by_later = left_jacobian_inverse(xp, velocity)
        by_earlier = left_jacobian_inverse(xp, -velocity)
        f, h = first[:, None, None], last[:, None, None]
        middle = -h * by_earlier[1:] - f * by_later[:-1]
        slopes = xp.stack((f * by_earlier[:-1], middle, h * by_later[1:]), axis=1)
        coefficients = xp.stack((first, -first - last, last), axis=-1)
        return Links(
            a / deviation, coefficients, deviation, turn / weights.root, slopes / weights.root
        )
