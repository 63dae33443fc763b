"""Plain first-order solvers on the same energy: references for the second-order one, slow and simple."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import CancelledError
from .evaluate import NUM_GLOBAL, energy
from .problem import Problem, State
from .solver import Progress, Solution, apply

ADAM_STEPS, ADAM_RATE = 600, 0.03
LBFGS_ROUNDS = 12
CONVERGED = 0.05


def minimise(
    problem: Problem, state: State, solver: str, progress: Progress | None = None
) -> Solution:
    """Minimises the summed energy of all starts with torch's Adam (falling rate) or L-BFGS (strong Wolfe), by autograd.

    Unknowns are the latent, a root rotation increment, betas and translation, from `state`. A start counts as converged
    when the last tenth of the run lowered its energy by less than CONVERGED nats.
    """
    dz = torch.zeros_like(state.z, requires_grad=True)
    d_global = torch.zeros(
        len(state.z), NUM_GLOBAL, dtype=state.z.dtype, device=state.z.device, requires_grad=True
    )

    def value() -> Tensor:
        return energy(problem, apply(state, dz, d_global))

    def report(step: int, total: int) -> None:
        if progress is not None and progress(step, total) is False:
            raise CancelledError("The fit was cancelled.")

    rounds = 10
    before = value().detach()
    if solver == "adam":
        optimiser = torch.optim.Adam([dz, d_global], lr=ADAM_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, ADAM_STEPS)
        for step in range(ADAM_STEPS):
            if step % 20 == 0:
                report(step, ADAM_STEPS)
            if step == ADAM_STEPS - ADAM_STEPS // rounds:
                before = value().detach()
            optimiser.zero_grad()
            value().sum().backward()
            optimiser.step()
            schedule.step()
    else:
        line_search = torch.optim.LBFGS(
            [dz, d_global], lr=1.0, max_iter=30, history_size=30, line_search_fn="strong_wolfe"
        )

        def closure() -> Tensor:
            line_search.zero_grad()
            total = value().sum()
            total.backward()
            return total

        for step in range(LBFGS_ROUNDS):
            report(step, LBFGS_ROUNDS)
            before = value().detach()
            line_search.step(closure)
    with torch.no_grad():
        final = apply(state, dz, d_global)
        energies = energy(problem, final)
    return Solution(
        final,
        energies,
        before - energies < CONVERGED,
        ADAM_STEPS if solver == "adam" else 30 * LBFGS_ROUNDS,
    )
