"""Which form of the solver runs: numpy for a few starts on a CPU, torch for the rest."""

from __future__ import annotations

import torch

from ..flows.prior import Prior
from . import solver
from .problem import Problem, State
from .solver import Progress, Solution, SolverConfig

MOST_STARTS = 16  # above this torch's calls are large enough to win


def levenberg_marquardt(problem: Problem, state: State, config: SolverConfig, progress: Progress | None = None) -> Solution:
    """Minimises every start's energy; see `solver.levenberg_marquardt`."""
    small = len(state.z) <= MOST_STARTS and problem.keypoints.device == torch.device("cpu")
    if small and isinstance(problem.prior, Prior):
        from .lean.solver import levenberg_marquardt as lean_solver

        return lean_solver(problem, state, config, progress)
    return solver.levenberg_marquardt(problem, state, config, progress)
