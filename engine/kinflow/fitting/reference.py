"""First-order solvers on the same energy: references for the second-order one, slow and simple."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ..bodies.model import torch_backend
from ..core.arrays import is_numpy, mapped, to_numpy
from ..core.solver import Progress, Solution
from ..errors import CancelledError
from .people import People, gather
from .stages import Search
from .starts import Candidates

ADAM_STEPS, ADAM_RATE = 600, 0.03
LBFGS_ROUNDS = 12
CONVERGED = 0.05


def minimise_by_gradient(
    people: People, candidates: Candidates, solver: str, progress: Progress
) -> Search:
    """Minimises the summed energy of all starts with torch's Adam (falling rate) or L-BFGS (strong
    Wolfe), by autograd.

    Unknowns are the latent, a root rotation increment, betas and translation, from the candidates.
    A start counts as converged when the last tenth of the run lowered its energy by less than
    CONVERGED nats.
    """
    if is_numpy(people.means.backend.xp):
        people, candidates = _on_torch(people, candidates)
    problem, state = people.problem.pick(candidates.owner), candidates.state
    size = sum(block.size for block in problem.unknowns)
    steps = [torch.zeros_like(state.z), state.z.new_zeros(len(state.z), size)]
    for step in steps:
        step.requires_grad_(True)

    def value() -> Tensor:
        return problem.energy(problem.moved(state, *steps))

    def report(iteration: int, most: int) -> None:
        if progress(iteration, most) is False:
            raise CancelledError("The fit was cancelled.")

    run = _adam if solver == "adam" else _lbfgs
    before, iterations = run(value, steps, report)
    with torch.no_grad():
        final = problem.moved(state, *steps)
        energies = problem.energy(final)
    solution = Solution(final, energies, before - energies < CONVERGED, iterations)
    return Search(people, solution, candidates.owner)


def _on_torch(people: People, candidates: Candidates) -> tuple[People, Candidates]:
    backend = torch_backend()
    means = replace(people.means, backend=backend)
    moved = gather(people.observations, people.cameras, means)
    moved = moved.with_term(replace(moved.keypoints(), scale=_tensor(people.keypoints().scale)))
    return moved, mapped(_tensor, candidates)


def _tensor(array: object) -> Tensor:
    return torch.from_numpy(to_numpy(array).copy())


def _adam(
    value: Callable[[], Tensor], steps: list[Tensor], report: Callable[[int, int], None]
) -> tuple[Tensor, int]:
    before = value().detach()
    optimiser = torch.optim.Adam(steps, lr=ADAM_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, ADAM_STEPS)
    for step in range(ADAM_STEPS):
        if step % 20 == 0:
            report(step, ADAM_STEPS)
        if step == ADAM_STEPS - ADAM_STEPS // 10:
            before = value().detach()
        optimiser.zero_grad()
        value().sum().backward()
        optimiser.step()
        schedule.step()
    return before, ADAM_STEPS


def _lbfgs(
    value: Callable[[], Tensor], steps: list[Tensor], report: Callable[[int, int], None]
) -> tuple[Tensor, int]:
    before = value().detach()
    search = torch.optim.LBFGS(
        steps, lr=1.0, max_iter=30, history_size=30, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        search.zero_grad()
        total = value().sum()
        total.backward()
        return total

    for step in range(LBFGS_ROUNDS):
        report(step, LBFGS_ROUNDS)
        before = value().detach()
        search.step(closure)
    return before, 30 * LBFGS_ROUNDS
