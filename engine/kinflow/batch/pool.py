"""Worker processes on this machine. Each finds and fits whole units, so that one's detection runs beside another's solving."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ..errors import KinflowError
from .sources import Source
from .work import Done, Settings, process

Unit = tuple[Source, ...]
TRIES = 2
GONE = "The process that worked on it ended unexpectedly (perhaps out of memory)."


def usual_workers(device: str) -> int:
    """A worker a core, as far as memory reaches (1.5 GB each), at most 4 where they share a GPU."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = 8 << 30
    workers = max(1, min(cores, int(memory // (1.5 * 2**30))))
    if device != "cpu":
        import torch

        workers = min(workers, 4) if torch.cuda.is_available() else workers
    return workers


def run_here(units: Iterable[Unit], settings: Settings) -> Iterator[Done]:
    """In this very process: no start-up to wait for, for a handful of photos."""
    for unit in units:
        yield process(unit, settings)


def _serve(connection: Connection, settings: Settings) -> None:
    """A worker's life. It ends when the other end closes, so it dies with its parent, however that ended."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            unit = connection.recv()
            try:
                answer: Any = process(unit, settings)
            except KinflowError as error:
                answer = error
            connection.send(answer)


@dataclass
class _Worker:
    process: Any
    connection: Connection
    unit: Unit | None = None


def run_in_processes(units: Iterable[Unit], settings: Settings, workers: int) -> Iterator[Done]:
    """Units as they are finished, in any order. A worker that dies is replaced and its unit tried again, then photo by photo.

    At most `workers` units are in memory. Raises KinflowError where the settings turn out wrong.
    """
    context = multiprocessing.get_context("spawn")
    environment = {
        name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    }
    waiting = iter(units)
    again: deque[tuple[Unit, int]] = deque()
    tries: dict[Unit, int] = {}
    crew: list[_Worker] = []

    def hire() -> _Worker:
        ours, theirs = context.Pipe()
        # read when the libraries are loaded: a worker a core leaves no core for their threads
        os.environ.update(dict.fromkeys(environment, "1"))
        try:
            worker = context.Process(target=_serve, args=(theirs, settings), daemon=True)
            worker.start()
        finally:
            for name, value in environment.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        theirs.close()
        return _Worker(worker, ours)

    def give(worker: _Worker) -> bool:
        unit, tried = again.popleft() if again else (next(waiting, None), 0)
        if unit is None:
            return False
        worker.unit, tries[unit] = unit, tried
        with contextlib.suppress(OSError):  # one that is already dead is found below
            worker.connection.send(unit)
        return True

    try:
        for _ in range(workers):
            worker = hire()
            if not give(worker):
                worker.connection.close()
                break
            crew.append(worker)
        while crew:
            for connection in wait([w.connection for w in crew]):
                worker = next(w for w in crew if w.connection is connection)
                unit = worker.unit
                assert unit is not None
                tried = tries.pop(unit)
                try:
                    answer = worker.connection.recv()
                except (EOFError, OSError):
                    answer = None
                if isinstance(answer, KinflowError):
                    raise answer
                if answer is not None:
                    yield answer
                else:
                    worker.connection.close()
                    crew.remove(worker)
                    if len(unit) > 1:
                        again.extend(
                            [(unit, 1)] if tried == 0 else [((source,), 1) for source in unit]
                        )
                    elif tried + 1 < TRIES:
                        again.append((unit, tried + 1))
                    else:
                        yield lost(unit[0])
                    worker = hire()
                    crew.append(worker)
                if not give(worker):
                    worker.connection.close()
                    crew.remove(worker)
    finally:
        for worker in crew:
            worker.connection.close()
            worker.process.terminate()


def lost(source: Source) -> Done:
    """A photo that ended its worker twice."""
    return Done({source.key: [[source.key, "", "failed", "", "", "", "", f"{source.key}: {GONE}"]]})
