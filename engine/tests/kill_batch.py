"""kill -9 at random moments: nothing lost, nothing twice, no orphan, no temporary file.

    python engine/tests/kill_batch.py --kills 200

Half of the kills hit `kinflow fit` on 60 small photos (it, or one of its workers), half a program
that fits the same people through `kinflow.Engine` (it, or its engine). Whoever is killed with its
children is started again, until all is done; then a new folder is begun. Checked: after a kill of a
parent all below it are gone within --limit seconds; what is there at the end is, byte for byte,
what an undisturbed run makes, with one row a photo; the folder and the folder for temporary files
hold nothing else. Linux only; minutes; not run by `build.py test`.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from crowd import make_crowd

PHOTOS = 60
KINDS = ("batch", "engine")
MOST_WORKERS = 2  # killed in one run: a unit whose third worker dies is fitted photo by photo
WAIT = 60.0  # seconds for an orphan before the script gives up


def fit_through_an_engine(photos: Path, out: Path) -> None:
    """The program around `kinflow.Engine`: a result a photo, those that are there left alone."""
    from kinflow.client import Engine
    from kinflow.errors import EngineError
    from kinflow.perception.formats import read_observations

    out.mkdir(parents=True, exist_ok=True)
    left = [f for f in sorted(photos.glob("*.json")) if not (out / f"{f.stem}.npz").exists()]
    while left:
        with contextlib.suppress(EngineError), Engine() as engine:
            while left:
                (result,) = engine.fit(read_observations(left[0]), losses=("ka",))
                replace(result, timings={}).save(out / f"{left[0].stem}.npz")
                left.pop(0)


def command(kind: str, photos: Path, out: Path) -> list[str]:
    """What is run, and run again."""
    if kind == "engine":
        return [sys.executable, __file__, "--program", str(photos), str(out)]
    files = [str(path) for path in sorted(photos.glob("*.json"))]
    images = [str(path) for path in sorted(photos.glob("*.png"))]
    words = ["fit", *images, "--observations", *files, "--out", str(out)]
    return [
        *(sys.executable, "-m", "kinflow.cli", *words),
        *("--losses", "ka", "--no-overlay", "--workers", "2"),
    ]


def below(pid: int) -> list[int]:
    """All processes below one."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [p for child in map(int, children) for p in (child, *below(child))]


def alive(pid: int) -> bool:
    """Whether it still runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def killable(pid: int) -> bool:
    """Whether it is a worker or an engine, and not multiprocessing's own helper."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"resource_tracker" not in words


def digest(folder: Path) -> dict[str, str]:
    """Hash of every file but the journal, whose rows stand in the order of finishing."""
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.iterdir())
        if p.name != "journal.sqlite"
    }


@dataclass
class Trial:
    """One kind of program, undisturbed and killed."""

    kind: str
    folder: Path
    pick: random.Random
    limit: float
    kills: dict[str, int] = field(default_factory=lambda: {"parent": 0, "worker": 0})
    orphans: list[float] = field(default_factory=list)
    finished: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    reference: dict[str, str] = field(default_factory=dict)

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        with open(self.folder / "errors.txt", "ab") as errors:
            return subprocess.Popen(
                command(self.kind, self.folder.parent / "photos", out),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=os.environ | {"TMPDIR": str(scratch)},
            )

    def undisturbed(self) -> None:
        """The run that the others are compared with; its time is the range of moments."""
        out, started = self.folder / "whole", time.perf_counter()
        if self.start(out).wait() != 0:
            raise SystemExit(f"The undisturbed run failed: {self.folder / 'errors.txt'}")
        self.seconds = time.perf_counter() - started
        self.reference = digest(out)

    def disturbed(self, out: Path, most: int) -> None:
        """One folder, begun and gone on with until it is done; at most so many kills."""
        while True:
            process, hit = self.start(out), 0
            while process.poll() is None:
                moment = time.perf_counter() + self.pick.uniform(0, self.seconds)
                while process.poll() is None and time.perf_counter() < moment:
                    time.sleep(0.005)
                if process.poll() is not None or sum(self.kills.values()) >= most:
                    break
                if hit < MOST_WORKERS and self.pick.random() < 0.5:
                    hit += self.kill_worker(process.pid)
                else:
                    self.kill_parent(process)
            if process.wait() == 0:
                break
            if process.returncode != -signal.SIGKILL:
                self.failures.append(f"{out.name} ended with {process.returncode}")
                return
        self.finished += 1
        self.check(out)

    def kill_worker(self, pid: int) -> int:
        victims = [p for p in below(pid) if killable(p)]
        if not victims:
            return 0
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pick.choice(victims), signal.SIGKILL)
        self.kills["worker"] += 1
        return 1

    def kill_parent(self, process: subprocess.Popen[bytes]) -> None:
        os.kill(process.pid, signal.SIGSTOP)  # so that the list of who is below it is complete
        left = below(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        started = time.perf_counter()
        process.wait()
        while any(map(alive, left)) and time.perf_counter() - started < WAIT:
            time.sleep(0.005)
        self.kills["parent"] += 1
        self.orphans.append(time.perf_counter() - started)
        if self.orphans[-1] > self.limit:
            self.failures.append(f"an orphan lived for {self.orphans[-1]:.1f} s")

    def check(self, out: Path) -> None:
        there = digest(out)
        different = {
            n for n in there.keys() | self.reference if there.get(n) != self.reference.get(n)
        }
        if different:
            self.failures.append(f"{out.name} differs in {sorted(different)[:5]}")
        if self.kind == "batch":
            with open(out / "report.csv", newline="", encoding="utf-8") as stream:
                photos = [row["photo"] for row in csv.DictReader(stream)]
            if len(photos) != PHOTOS or len(set(photos)) != PHOTOS:
                self.failures.append(f"{out.name} reports {len(photos)} rows")
        if left := [p.name for p in (self.folder / "scratch").iterdir()]:
            self.failures.append(f"temporary files are left: {left[:5]}")

    def figures(self) -> str:
        times = sorted(self.orphans) or [0.0]
        return (
            f"{self.kind}: {self.kills['parent']} parents and {self.kills['worker']} workers or "
            f"engines killed, {self.finished} folders of {PHOTOS} photos finished; those below a "
            f"killed parent gone after {times[len(times) // 2]:.2f} s in the median, "
            f"{times[-1]:.2f} s at most; {len(self.failures)} failures {self.failures[:5]}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--limit", type=float, default=2.0, help="seconds that an orphan may live")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--program", nargs=2, type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.program:
        fit_through_an_engine(*options.program)
        return 0
    failed = False
    with tempfile.TemporaryDirectory(prefix="kinflow-kill-") as name:
        (Path(name) / "photos").mkdir()
        make_crowd(Path(name) / "photos", PHOTOS)
        for number, kind in enumerate(options.kinds):
            folder = Path(name) / kind
            folder.mkdir()
            trial = Trial(kind, folder, random.Random(options.seed + number), options.limit)
            trial.undisturbed()
            most = options.kills // len(options.kinds)
            while sum(trial.kills.values()) < most and len(trial.failures) < 10:
                trial.disturbed(folder / f"killed-{trial.finished}", most)
                print(trial.figures(), file=sys.stderr, flush=True)
            print(trial.figures(), flush=True)
            if errors := (folder / "errors.txt").read_text(errors="replace"):
                print(f"said on standard error: ...{errors[-400:]}", flush=True)
            failed |= bool(trial.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
