"""How tall people are, and of which sex: what is stated of them, or what a population is like.

SMPL's betas are standard normal, which makes stature normal with the body's own mean m0 and
deviation s0. That is replaced by a mixture over age groups and sexes: the cost is
-log sum_k w_k N(stature; m_k, s_k) + log N(stature; m0, s0), so that with `Shape` beside it stature
is distributed as the mixture. Beside it one component of the shape, where a body has it, says how
masculine somebody is; it is normal about a stated place.
"""

import math
from dataclasses import dataclass

from ..arrays import Array, Namespace, per_person, zeros_like
from ..points import NUM_TURNS, WIDTH
from ..posterior import PosedState, Rows

SLACK = 0.1  # of the body's own precision: the least that a step may count on


@dataclass(frozen=True)
class Stature:
    """A body's stature m, `mean` + direction . betas: direction (10,); masculine (10,): the
    component, zeros where there is none.

    shares, centres, deviations (S, K): the mixture; sex (S,): where the component is expected,
    firmness (S,): its precision beyond that of `Shape`.
    """

    mean: float
    direction: Array
    masculine: Array
    shares: Array = per_person()
    centres: Array = per_person()
    deviations: Array = per_person()
    sex: Array = per_person()
    firmness: Array = per_person()

    def _of(self, xp: Namespace, posed: PosedState) -> tuple[Array, Array, Array]:
        """Nats (S,) of the stature, their slope by it, and the curvature that a step counts on."""
        own = xp.sum(self.direction**2)
        above_mean = posed.state.betas @ self.direction
        apart = above_mean[:, None] + self.mean - self.centres
        squares = (apart / self.deviations) ** 2
        parts = self.shares * xp.exp(-0.5 * squares) / (self.deviations * math.sqrt(2 * math.pi))
        # nobody is so tall that the mixture has no opinion
        density = xp.sum(parts, axis=-1) + 1e-30
        share = parts / density[:, None]
        slope = xp.sum(share * apart / self.deviations**2, axis=-1) - above_mean / own
        firm = xp.sum(share / self.deviations**2, axis=-1) - 1 / own
        firm = xp.where(firm > SLACK / own, firm, SLACK / own + 0 * firm)
        return -xp.log(density) - 0.5 * above_mean**2 / own, slope, firm

    def _masculine(self, posed: PosedState) -> Array:
        return posed.state.betas @ self.masculine - self.sex

    def value(self, xp: Namespace, posed: PosedState) -> Array:
        """-> (S,) nats."""
        return self._of(xp, posed)[0] + 0.5 * self.firmness * self._masculine(posed) ** 2

    def rows(self, xp: Namespace, posed: PosedState) -> Rows:
        """One row of the stature, one of the sex."""
        nats, slope, firm = self._of(xp, posed)
        count, sex, root = len(nats), self._masculine(posed), xp.sqrt(self.firmness)
        by_betas = xp.stack(
            (
                xp.sqrt(firm)[:, None] * self.direction,
                root[:, None] * self.masculine,
            ),
            axis=1,
        )
        before = zeros_like(xp, (count, 2, NUM_TURNS), by_betas)
        after = zeros_like(xp, (count, 2, WIDTH - NUM_TURNS - by_betas.shape[-1]), by_betas)
        residual = xp.stack((slope / xp.sqrt(firm), sex * root), axis=-1)
        value = nats + 0.5 * self.firmness * sex**2
        return Rows(value, residual, xp.concat((before, by_betas, after), axis=-1))
