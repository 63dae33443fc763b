"""Worker processes on this machine, each of which finds and fits whole units."""

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ..errors import KinflowError
from .sources import Source
from .work import Finished, Settings, failed
from .worker import serve

Unit = tuple[Source, ...]
Answers = Generator[dict[str, Finished] | Source, None, None]
"""Units that are done, and before that the photos of theirs in which people were looked for."""
TRIES = 3  # a unit that is taken apart is another batch, and its last bits are others
WORKER_BYTES = 1.5 * 2**30
GONE = "The process that worked on it ended unexpectedly (perhaps out of memory)."


def usual_workers(device: str) -> int:
    """A worker a core, as far as memory reaches, at most 4 where they share a GPU."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = 8 << 30
    workers = max(1, min(cores, int(memory // WORKER_BYTES)))
    if device != "cpu":
        import torch

        if torch.cuda.is_available():
            return min(workers, 4)
    return workers


def run_in_processes(units: Iterable[Unit], settings: Settings, workers: int) -> Answers:
    """Units as they are finished, in any order.

    A worker that dies is replaced and its unit tried again, in the end photo by photo. At most
    `workers` units are in memory. Raises KinflowError where the settings turn out wrong.
    """
    crew = _Crew(units, settings)
    try:
        for _ in range(workers):
            crew.hire()
        while crew.workers:
            by_connection: dict[Any, _Worker] = {w.connection: w for w in crew.workers}
            for connection in wait(list(by_connection)):
                answer = crew.answer_of(by_connection[connection])
                if isinstance(answer, KinflowError):
                    raise answer
                if answer is not None:
                    yield answer
    finally:
        crew.dismiss()


@dataclass
class _Worker:
    process: Any
    connection: Connection
    unit: Unit
    tried: int


class _Crew:
    """Workers that each have a unit, and the units that are left."""

    def __init__(self, units: Iterable[Unit], settings: Settings) -> None:
        self.workers: list[_Worker] = []
        self._settings = settings
        self._waiting = iter(units)
        self._again: deque[tuple[Unit, int]] = deque()

    def _next(self) -> tuple[Unit, int] | None:
        if self._again:
            return self._again.popleft()
        unit = next(self._waiting, None)
        return None if unit is None else (unit, 0)

    def hire(self) -> None:
        """A new worker, where there is work for it."""
        work = self._next()
        if work is None:
            return
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        child = context.Process(target=serve, args=(theirs,), daemon=True)
        with _as_workers_start():
            child.start()
        theirs.close()
        self.workers.append(_Worker(child, ours, *work))
        with contextlib.suppress(OSError):  # one that is already dead is noticed by its silence
            ours.send(self._settings)
            ours.send(work[0])

    def answer_of(self, worker: _Worker) -> dict[str, Finished] | Source | KinflowError | None:
        """What a worker has to say; it gets more work. None where it died and was replaced."""
        try:
            answer = worker.connection.recv()
        except (EOFError, OSError):
            return self._replace(worker)
        if isinstance(answer, Source):
            return answer
        work = self._next()
        if work is None:
            self._let_go(worker)
        else:
            worker.unit, worker.tried = work
            with contextlib.suppress(OSError):
                worker.connection.send(worker.unit)
        return answer

    def _replace(self, worker: _Worker) -> dict[str, Finished] | None:
        """-> the lost photo, where it has ended its worker before."""
        self._let_go(worker)
        answer, tries = None, worker.tried + 1
        if tries < TRIES:
            self._again.append((worker.unit, tries))
        elif len(worker.unit) > 1:  # one of them does it: photo by photo, to lose only that one
            self._again.extend(((source,), 1) for source in worker.unit)
        else:
            answer = lost(worker.unit[0])
        self.hire()
        return answer

    def _let_go(self, worker: _Worker) -> None:
        worker.connection.close()
        self.workers.remove(worker)

    def dismiss(self) -> None:
        """Ends all of them."""
        for worker in self.workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join()


@contextlib.contextmanager
def _as_workers_start() -> Iterator[None]:
    """What a process that starts now has of this one: one thread, no ear for Ctrl-C.

    Numbers of threads are read when libraries are loaded; a worker a core leaves no core for them.
    This process hears a Ctrl-C as soon as that is done.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    before = {name: os.environ[name] for name in names if name in os.environ}
    os.environ.update(dict.fromkeys(names, "1"))
    can_block = hasattr(signal, "pthread_sigmask")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if can_block else set()
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)
        if can_block:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def lost(source: Source) -> dict[str, Finished]:
    """A photo that ended its worker again and again."""
    return {source.key: failed(source, f"{source.key}: {GONE}")}
