"""kill -9 of Blender in the middle of a folder of photos: nothing lost, nothing twice, no orphan.

    .venv/bin/python blender_tests/kill_blender.py --kills 24

Runs `addon/headless/batch.py` on copies of the sample photo, kills it at random moments of the fit
and of the scenes, and starts it again until the folder is done; then a new folder is begun.
Checked: after a kill all below it are gone within --limit seconds; at the end each person has one
row and the fit of an undisturbed run byte for byte, each photo one whole scene; nothing else lies
in the folder, and no file in the folder for temporary files (Blender makes itself an empty folder
there, which only its own end takes away). Linux only; minutes; not run by `build.py test`.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "engine/tests"))
from kill_batch import alive, below  # noqa: E402

WAIT = 30.0  # seconds for an orphan before the script gives up
SCENES = 1.5  # seconds after the first scene of a run in which it is killed
SHARE = 0.4  # of an undisturbed run's time in which it is killed


def make_photos(folder: Path, count: int) -> None:
    """Copies of the sample in different sizes."""
    folder.mkdir()
    with Image.open(ROOT / "blender_tests/samples/punch.png") as sample:
        for number in range(count):
            share = 0.6 + 0.03 * number
            size = round(sample.width * share), round(sample.height * share)
            sample.convert("RGB").resize(size).save(folder / f"{number:02d}.png")


def is_whole(scene: Path) -> bool:
    """Whether a .glb is as long as it says, and a .blend ends with its table of frames."""
    data = scene.read_bytes()
    if scene.suffix == ".glb":
        return int.from_bytes(data[8:12], "little") == len(data)
    return data.endswith(b"\xb1\xea\x92\x8f")  # seekable Zstandard


@dataclass
class Trial:
    """One folder of photos, fitted again and again."""

    folder: Path
    form: str
    limit: float
    pick: random.Random
    orphans: dict[str, list[float]] = field(default_factory=lambda: {"fit": [], "scenes": []})
    finished: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    reference: dict[str, bytes] = field(default_factory=dict)

    @property
    def kills(self) -> int:
        return sum(map(len, self.orphans.values()))

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        words = [str(self.folder / "photos"), "--output", str(out), "--format", self.form]
        with open(self.folder / "log.txt", "wb") as log:
            return subprocess.Popen(
                [sys.executable, ROOT / "addon/headless/batch.py", *words, "--no-render"],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"TMPDIR": str(scratch), "KINFLOW_PYTHON": sys.executable},
            )

    def undisturbed(self) -> None:
        started, out = time.perf_counter(), self.folder / "whole"
        if self.start(out).wait() != 0:
            raise SystemExit(f"The undisturbed run failed: {(self.folder / 'log.txt').read_text()}")
        self.seconds = time.perf_counter() - started
        self.reference = {p.name: p.read_bytes() for p in out.glob("*.npz")}
        self.check(out)

    def disturbed(self, out: Path, most: int) -> None:
        """One folder, begun and gone on with until it is done; at most so many kills."""
        process = self.start(out)
        while self.kills < most:
            phase = self.pick.choice(("fit", "scenes"))
            if not self.wait_for_moment(process, phase):
                break
            self.kill(process, phase)
            process = self.start(out)
        if process.wait() != 0:
            text = (self.folder / "log.txt").read_text(errors="replace")
            self.failures.append(f"{out.name} ended with {process.returncode}: {text[-300:]}")
        self.finished += 1
        self.check(out)

    def wait_for_moment(self, process: subprocess.Popen[bytes], phase: str) -> bool:
        """-> whether it still runs then."""
        if phase == "scenes":
            while process.poll() is None and b'{"photo"' not in self.log():
                time.sleep(0.02)
        span = SCENES if phase == "scenes" else SHARE * self.seconds
        moment = time.perf_counter() + self.pick.uniform(0, span)
        while process.poll() is None and time.perf_counter() < moment:
            time.sleep(0.005)
        return process.poll() is None

    def log(self) -> bytes:
        return (self.folder / "log.txt").read_bytes()

    def kill(self, process: subprocess.Popen[bytes], phase: str) -> None:
        os.kill(process.pid, signal.SIGSTOP)  # so that the list of who is below it is complete
        left = below(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        started = time.perf_counter()
        process.wait()
        while any(map(alive, left)) and time.perf_counter() - started < WAIT:
            time.sleep(0.005)
        self.orphans[phase].append(time.perf_counter() - started)
        if self.orphans[phase][-1] > self.limit:
            self.failures.append(f"an orphan lived for {self.orphans[phase][-1]:.1f} s")

    def check(self, out: Path) -> None:
        stems = [p.stem for p in sorted((self.folder / "photos").iterdir())]
        scenes = {f"{stem}/scene.{self.form}" for stem in stems}
        expected = scenes | set(self.reference) | {"report.csv", "journal.sqlite"}
        there = {str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()}
        if there != expected:
            self.failures.append(f"{out.name}: {sorted(there ^ expected)[:5]} too many or missing")
        broken = [name for name in scenes & there if not is_whole(out / name)]
        broken += [n for n in there & set(self.reference) if not self.is_same(out / n)]
        if broken:
            self.failures.append(f"{out.name}: {sorted(broken)[:5]} are not whole")
        with open(out / "report.csv", newline="", encoding="utf-8") as stream:
            rows = sorted(Path(row["photo"]).stem for row in csv.DictReader(stream))
        if rows != sorted(name.split(".")[0] for name in self.reference):
            self.failures.append(f"{out.name} reports {len(rows)} rows")
        scratch = self.folder / "scratch"
        if left := [p for p in scratch.rglob("*") if p.is_file()]:
            self.failures.append(f"temporary files are left: {left[:5]}")

    def is_same(self, fit: Path) -> bool:
        return fit.read_bytes() == self.reference[fit.name]

    def figures(self) -> str:
        times = sorted(t for phase in self.orphans.values() for t in phase) or [0.0]
        folders = len(list((self.folder / "scratch").iterdir()))
        return (
            f"{len(self.orphans['fit'])} kills in the fit, {len(self.orphans['scenes'])} in the "
            f"scenes, {self.finished} folders finished; those below gone after "
            f"{times[len(times) // 2]:.2f} s in the median, {times[-1]:.2f} s at most; "
            f"{folders} empty temporary folders; "
            f"{len(self.failures)} failures {self.failures[:5]}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--photos", type=int, default=12)
    parser.add_argument("--format", choices=("blend", "glb"), default="blend")
    parser.add_argument("--limit", type=float, default=2.0, help="seconds that an orphan may live")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kinflow-kill-") as name:
        make_photos(Path(name) / "photos", options.photos)
        pick = random.Random(options.seed)
        trial = Trial(Path(name), options.format, options.limit, pick)
        trial.undisturbed()
        while trial.kills < options.kills and len(trial.failures) < 10:
            trial.disturbed(trial.folder / f"killed-{trial.finished}", options.kills)
            print(trial.figures(), flush=True)
    return int(bool(trial.failures))


if __name__ == "__main__":
    sys.exit(main())
