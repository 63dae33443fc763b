"""The same units on a Ray cluster (extra `cluster`); results are written once, here."""

import logging
from collections.abc import Iterable
from typing import Any

from ..errors import KinflowError
from .pool import Answers, Unit, lost
from .work import Settings, process_alone

_QUIET = {"include_dashboard": False, "log_to_driver": False}
AHEAD = 2  # units in flight a core


def run_on_ray(units: Iterable[Unit], settings: Settings, address: str) -> Answers:
    """Units as they are finished.

    address: "local" for this machine alone, else a cluster's address ("auto", host:port). Photos
    are read where the work is done, so all machines need them under the same paths. Raises
    KinflowError where Ray is not installed or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError as error:
        raise KinflowError("Ray is not installed.", "pip install 'kinflow[cluster]'") from error
    begun_here = not ray.is_initialized()
    if begun_here:
        try:
            ray.init(address=address, logging_level=logging.ERROR, **_QUIET)
        except (ConnectionError, ValueError, RuntimeError) as error:
            sentence = f"The Ray cluster '{address}' cannot be reached: {error}"
            raise KinflowError(sentence, "Check the address, or use --ray local.") from error
    try:
        yield from _answers(ray, units, settings)
    finally:
        if begun_here:
            ray.shutdown()


def _answers(ray: Any, units: Iterable[Unit], settings: Settings) -> Answers:
    """Ray replaces workers that die; a unit whose workers die again and again is taken apart."""
    environment = {"env_vars": {"OMP_NUM_THREADS": "1"}}
    task = ray.remote(num_cpus=1, max_retries=3, runtime_env=environment)(process_alone)
    waiting = iter(units)
    flying: dict[object, Unit] = {}
    alone: set[Unit] = set()
    limit = max(1, AHEAD * int(ray.cluster_resources().get("CPU", 1)))
    while True:
        while len(flying) < limit and (unit := next(waiting, None)) is not None:
            flying[task.remote(unit, settings)] = unit
        if not flying:
            return
        (ready,), _ = ray.wait(list(flying), num_returns=1)
        unit = flying.pop(ready)
        try:
            answer = ray.get(ready)
        except ray.exceptions.RayError:
            if unit in alone:
                yield lost(unit[0])
            else:  # photo by photo, to lose only the one that did it
                singles: list[Unit] = [(source,) for source in unit]
                alone.update(singles)
                flying.update({task.remote(single, settings): single for single in singles})
            continue
        if isinstance(answer, KinflowError):
            raise answer
        yield answer
