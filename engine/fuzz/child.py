"""Cases in child processes of bounded memory and time; whatever ends one of them is a finding."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import mmap
import os
import resource
import shutil
import signal
import struct
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from kinflow.errors import KinflowError

from .targets import TARGETS, Target

MEMORY = 2 << 30  # that a case may take, above what the process has
BATCH, BATCH_BYTES = 200, 32 << 20
_OUTCOMES = ("read", "refused")
_MAX_TEXT = 4000


@dataclass(frozen=True)
class Finding:
    """A case that broke a promise, its files, and what happened."""

    target: str
    files: dict[str, bytes]
    what: str

    def summary(self) -> str:
        """The first line and the last of what happened."""
        lines = self.what.strip().splitlines()
        return f"{self.target}: {lines[0]}" + (f" ... {lines[-1]}" if len(lines) > 1 else "")


def files_of(name: str, seed: int, number: int) -> dict[str, bytes]:
    """The files of a case, always the same."""
    return TARGETS[name].make(Random(f"{name} {seed} {number}"))


def made_cases(name: str, seed: int, first: int) -> Iterator[dict[str, bytes]]:
    """The files of the cases from `first` on."""
    number = first
    while True:
        yield files_of(name, seed, number)
        number += 1


def run_cases(
    name: str, cases: Iterable[dict[str, bytes]], deadline: float
) -> tuple[Counter[str], list[Finding]]:
    """Cases until they or the time end. -> how many files were read or refused, and findings."""
    counts: Counter[str] = Counter()
    findings: list[Finding] = []
    cases = iter(cases)
    while time.monotonic() < deadline:
        batch: list[dict[str, bytes]] = []
        size = 0
        while len(batch) < BATCH and size < BATCH_BYTES and (files := next(cases, None)):
            batch.append(files)
            size += sum(map(len, files.values()))
        if not batch:
            break
        while batch and time.monotonic() < deadline:
            done, what, outcomes = _in_a_child(TARGETS[name], batch, deadline)
            counts += outcomes
            if what:
                findings.append(Finding(name, batch[done], what))
                counts["files"] += len(batch[done])
                done += 1
            counts["files"] += sum(len(files) for files in batch[: done - bool(what)])
            counts["findings"] += bool(what)
            batch = batch[done:] if done else []
    return counts, findings


def _in_a_child(
    target: Target, batch: list[dict[str, bytes]], deadline: float
) -> tuple[int, str, Counter[str]]:
    """Runs a batch until something is found. -> cases that passed, what was found or "", counts."""
    shared = mmap.mmap(-1, 64 + _MAX_TEXT)
    folder = tempfile.mkdtemp(prefix="kinflow-fuzz-")
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        try:
            _bound(target)
            _read_all(target, batch, Path(folder), shared, deadline)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a reader has started
    shutil.rmtree(folder, ignore_errors=True)
    done, read, refused, length = struct.unpack_from("<4q", shared, 0)
    what = shared[64 : 64 + length].decode("utf-8", "replace")
    if status and not what:
        number = os.waitstatus_to_exitcode(status)
        what = f"it ends the process: {number}"
        if number == -signal.SIGALRM:
            what = f"it takes longer than {target.seconds} s"
    return done, what, Counter(dict(zip(_OUTCOMES, (read, refused), strict=True)))


def _bound(target: Target) -> None:
    """Bounds this process's memory and the size of its files; nothing is printed any more."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    if target.bounded:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))
    warnings.simplefilter("ignore")
    faulthandler.disable()
    gc.freeze()


def _read_all(
    target: Target,
    batch: list[dict[str, bytes]],
    folder: Path,
    shared: mmap.mmap,
    deadline: float,
) -> None:
    counts = [0, 0]
    for number, files in enumerate(batch):
        if time.monotonic() > deadline:
            break
        for name, data in files.items():
            (folder / name).write_bytes(data)
        signal.setitimer(signal.ITIMER_REAL, target.seconds)
        what = ""
        try:
            target.read(folder)
            counts[0] += 1
        except KinflowError as error:
            counts[1] += 1
            what = _complaint(error)
        except BaseException as error:
            what = "".join(traceback.format_exception(error)[-6:])
        signal.setitimer(signal.ITIMER_REAL, 0)
        raw = what.encode("utf-8", "replace")[-_MAX_TEXT:]
        shared[64 : 64 + len(raw)] = raw
        struct.pack_into("<4q", shared, 0, number + (not what), *counts, len(raw))
        if what:
            break
        for name in files:
            (folder / name).unlink()


def _complaint(error: KinflowError) -> str:
    """What is wrong with a refusal: memory ran out on the way, or it is no sentence with a hint."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return "the memory ran out\n" + "".join(traceback.format_exception(cause)[-3:])
        cause = cause.__cause__ or cause.__context__
    if not error.message or not error.hint or len(error.message) > 2000:
        return f"no sentence with a hint: {type(error).__name__}: {error.message[:500]!r}"
    return ""
