"""Where a fit runs: numpy on a CPU, torch elsewhere."""

from collections.abc import Callable
from typing import Any

from ..core.arrays import Backend, numpy_backend
from ..core.solver import Model, Progress, Solution, SolverConfig, levenberg_marquardt
from ..threads import one_thread

Report = Callable[[float, str], bool | None]
"""Told how far a fit is, 0 to 1, and what it does; returns False to cancel."""


def silent(fraction: float, message: str) -> bool | None:
    """A `Report` to nobody."""
    return None


def share(report: Report, low: float, size: float) -> Report:
    """A `Report` of a part of the work, from `low` on."""

    def part(fraction: float, message: str) -> bool | None:
        return report(low + size * fraction, message)

    return part


def iterations(report: Report, low: float, size: float, message: str = "fit") -> Progress:
    """The solver's progress as a part of the work, from `low` on."""

    def progress(iteration: int, most: int) -> bool | None:
        return report(low + size * iteration / most, message)

    return progress


def backend_for(device: str) -> Backend:
    """ "auto": CUDA where there is one. Raises InvalidInputError where the device is not there."""
    if device == "cpu":
        return numpy_backend()
    from ..bodies.model import torch_backend
    from ..devices import pick_device

    chosen = pick_device(device)
    return numpy_backend() if chosen.type == "cpu" else torch_backend(chosen)


def minimise(model: Model, state: Any, config: SolverConfig, progress: Progress | None) -> Solution:
    """`levenberg_marquardt` on one thread; without `progress` nobody can stop it."""
    with one_thread():
        return levenberg_marquardt(model, state, config, progress)
