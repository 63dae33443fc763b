"""The same units on a Ray cluster (extra `cluster`); results are written once, here."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import KinflowError
from .pool import Unit, lost
from .sources import Source
from .work import Finished, Settings, process

AHEAD = 2  # units in flight a core


def run_on_ray(
    units: Iterable[Unit], settings: Settings, address: str
) -> Iterator[dict[str, Finished]]:
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
        _connect(ray, address)
    try:
        yield from _answers(ray, units, settings)
    finally:
        if begun_here:
            ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(
            address=address,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise KinflowError(
            f"The Ray cluster '{address}' cannot be reached: {error}",
            "Check the address, or use --ray local.",
        ) from error


def _answers(ray: Any, units: Iterable[Unit], settings: Settings) -> Iterator[dict[str, Finished]]:
    """Ray replaces workers that die; a unit whose workers die again and again is taken apart."""
    task = ray.remote(
        num_cpus=1, max_retries=3, runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}}
    )(_process)
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


def _process(unit: tuple[Source, ...], settings: Settings) -> dict[str, Finished] | KinflowError:
    """A task: a settings error is handed back as a value, so that Ray does not try it again."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        return process(unit, settings)
    except KinflowError as error:
        return error
