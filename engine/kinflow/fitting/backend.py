"""Which form of the solver runs: numpy on a CPU, torch elsewhere and for priors that have no numpy form."""

from __future__ import annotations

import torch

from ..priors.prior import Prior
from . import solver
from .problem import Problem, State
from .solver import Progress, Solution, SolverConfig

NUMPY_ON_CPU = True


def uses_numpy(prior: object, device: torch.device) -> bool:
    """Whether a fit with this prior on this device goes the numpy way."""
    return (
        NUMPY_ON_CPU
        and device.type == "cpu"
        and (isinstance(prior, Prior) or hasattr(prior, "lean_flow"))
    )


def levenberg_marquardt(
    problem: Problem, state: State, config: SolverConfig, progress: Progress | None = None
) -> Solution:
    """Minimises every start's energy; see `solver.levenberg_marquardt`."""
    if uses_numpy(problem.prior, problem.keypoints.device):
        from .lean.solver import levenberg_marquardt as lean_solver

        return lean_solver(problem, state, config, progress)
    return solver.levenberg_marquardt(problem, state, config, progress)
