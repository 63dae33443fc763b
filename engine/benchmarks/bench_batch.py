"""kinflow bench batch: a thousand photos from a few, killed five times, against a run in one go.

Photos are cropped, mirrored and made noisy. Prints photos a second, the peak memory of all
processes together for growing numbers of photos, and whether the run that was killed ends with the
same bytes.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kinflow.batch.journal import NAME as JOURNAL
from kinflow.commands.bench import BenchBatch
from kinflow.terminal import progress, say

SAMPLES = Path(__file__).parent.parent.parent / "blender_tests" / "samples"
LONGEST = 512


def make_photos(source: Path, folder: Path, count: int, seed: int = 0) -> None:
    """Crops of 70 to 100 %, half of them mirrored, with noise."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    originals = []
    for path in sorted(p for p in source.iterdir() if p.suffix.lower() in (".jpg", ".png")):
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        image.thumbnail((LONGEST, LONGEST))
        originals.append(image)
    for number in range(count):
        target = folder / f"{number:05d}.jpg"
        image = originals[number % len(originals)]
        share = rng.uniform(0.7, 1.0)
        w, h = (round(share * v) for v in image.size)
        x, y = rng.integers(0, image.width - w + 1), rng.integers(0, image.height - h + 1)
        pixels = np.asarray(image.crop((x, y, x + w, y + h)), np.float32)
        pixels = pixels[:, ::-1] if rng.random() < 0.5 else pixels
        noisy = np.clip(pixels + rng.normal(0, rng.uniform(0, 8), pixels.shape), 0, 255)
        if not target.exists():
            Image.fromarray(noisy.astype(np.uint8)).save(target, quality=90)


def memory_of(pid: int) -> float:
    """Proportional memory of a process and all below it, MB."""
    total = 0.0
    for process in [pid, *_children(pid)]:
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
            line = next(line for line in text.splitlines() if line.startswith("Pss:"))
            total += int(line.split()[1]) / 1024
        except (OSError, StopIteration):
            continue
    return total


def _children(pid: int) -> list[int]:
    try:
        words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [p for child in map(int, words) for p in (child, *_children(child))]


def start(photos: Path, out: Path, search: str) -> subprocess.Popen:
    """`kinflow fit` on a folder, in the background."""
    words = [sys.executable, "-m", "kinflow.cli", "fit", str(photos), "--out", str(out)]
    words += ["--no-overlay", "--search", search]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def whole_run(photos: Path, out: Path, search: str, count: int) -> tuple[float, list[float]]:
    """-> seconds, peak MB of all its processes in each fifth of its `count` photos."""
    process, peaks = start(photos, out, search), [0.0] * 5

    def watch() -> None:
        with progress("Fitting", count, "photos") as show:
            while process.poll() is None:
                done = photos_done(out)
                show(done / count, "")
                at = min(4, 5 * done // count)
                peaks[at] = max(peaks[at], memory_of(process.pid))
                time.sleep(0.5)

    began = time.perf_counter()
    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    watcher.join()
    return time.perf_counter() - began, peaks


def photos_done(out: Path) -> int:
    """Photos with results. The journal of a run can be read by nobody else meanwhile."""
    return len({path.name.split(".")[0] for path in out.glob("*.npz")})


def digest(folder: Path) -> dict[str, str]:
    """Hash of everything but the journal, whose rows stand in the order of finishing."""
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.iterdir())
        if not p.name.startswith(JOURNAL)
    }


@dataclass(frozen=True)
class Bench:
    """Where photos are made and fitted."""

    options: BenchBatch
    folder: Path

    def photos(self, count: int) -> Path:
        return self.folder / f"photos-{count}"

    def results(self, count: int) -> Path:
        return self.folder / f"out-{count}"

    def in_one_go(self, count: int) -> tuple[float, float]:
        """Fits so many photos. -> seconds, peak memory in MB."""
        photos, out = self.photos(count), self.results(count)
        make_photos(self.options.photos or SAMPLES, photos, count)
        shutil.rmtree(out, ignore_errors=True)
        seconds, peaks = whole_run(photos, out, self.options.search, count)
        people = len(list(out.glob("*.npz")))
        memory = ", ".join(f"{p:.0f}" for p in peaks)
        rate = f"{count / seconds:.2f} photos/s"
        print(f"{count:>6} photos: {people} people, {seconds:.0f} s, {rate}", flush=True)
        print(f"{'':>6} peak memory of all processes in each fifth of the run: {memory} MB")
        return seconds, max(peaks)

    def killed_and_resumed(self, seconds: float) -> list[str]:
        """Kills runs on the way, ends the last. -> files that differ from those in one go."""
        options, out = self.options, self.folder / "out-killed"
        photos = self.photos(options.count)
        shutil.rmtree(out, ignore_errors=True)
        pick = random.Random(options.seed)
        for number in range(options.kills):
            process = start(photos, out, options.search)
            wait = pick.uniform(0.4, 1.6) * seconds / (options.kills + 1)
            try:
                process.wait(wait)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
            done = f"{photos_done(out)} photos with results"
            say(f"killed {number + 1} of {options.kills} after {wait:.0f} s, {done}")
        start(photos, out, options.search).wait()
        a, b = digest(self.results(options.count)), digest(out)
        different = [name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]
        print(
            f"killed {options.kills} times with SIGKILL and resumed: {len(a)} files, "
            f"{len(different)} of them different {different[:5]}"
        )
        return different


def run(options: BenchBatch) -> dict[str, float]:
    """Prints the figures."""
    bench = Bench(options, options.folder or Path(tempfile.mkdtemp(prefix="kinflow-batch-")))
    print(
        f"{os.cpu_count()} cores; photos of at most {LONGEST} px made from "
        f"{options.photos or SAMPLES}; {options.search} search"
    )
    answer: dict[str, float] = {}
    for count in (options.count // 10, options.count):
        seconds, peak = bench.in_one_go(count)
        answer |= {f"{count} photos/s": count / seconds, f"{count} peak MB": peak}
    return answer | {"different files": len(bench.killed_and_resumed(seconds))}
