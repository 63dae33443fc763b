"""The same units on a Ray cluster (extra `cluster`). Ray replaces workers that die; results are written once, here."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from ..errors import KinflowError
from .pool import Unit, lost
from .sources import Source
from .work import Done, Settings, process

AHEAD = 2  # units in flight a core


def run_on_ray(units: Iterable[Unit], settings: Settings, address: str) -> Iterator[Done]:
    """Units as they are finished. address: "local" for this machine alone, else a cluster's address ("auto", host:port).

    Photos are read where the work is done, so all machines need them under the same paths. Raises KinflowError where
    Ray is not installed or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError as error:
        raise KinflowError("Ray is not installed.", "pip install 'kinflow[cluster]'") from error
    own = not ray.is_initialized()
    if own:
        try:
            ray.init(
                address=address if address != "local" else "local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise KinflowError(
                f"The Ray cluster '{address}' cannot be reached: {error}",
                "Check the address, or use --ray local.",
            ) from error
    task = ray.remote(
        num_cpus=1, max_retries=3, runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}}
    )(_process)
    waiting = iter(units)
    flying: dict[object, Unit] = {}
    alone: set[Unit] = set()
    limit = max(1, AHEAD * int(ray.cluster_resources().get("CPU", 1)))
    try:
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
                # its worker died again and again: photo by photo, to lose only the one that did it
                if unit in alone:
                    yield lost(unit[0])
                else:
                    singles: list[Unit] = [(source,) for source in unit]
                    alone.update(singles)
                    flying.update({task.remote(single, settings): single for single in singles})
                continue
            if isinstance(answer, KinflowError):
                raise answer
            yield answer
    finally:
        if own:
            ray.shutdown()


def _process(unit: tuple[Source, ...], settings: Settings) -> Done | KinflowError:
    """A task: an error of the settings is handed back as a value, so that Ray does not try it again."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        return process(unit, settings)
    except KinflowError as error:
        return error
