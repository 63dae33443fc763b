"""kinflow bench batch: a thousand photos made from a few, killed five times on the way, against a run in one go.

Photos are cropped, mirrored and made noisy. Prints photos a second, the peak memory of all processes together for growing
numbers of photos, and whether the run that was killed ends with the same bytes.
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
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from kinflow.batch.stream import UNIT
from kinflow.commands.bench import BenchBatch
from kinflow.commands.common import say

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
        noisy = np.clip(pixels + rng.normal(0, rng.uniform(0, 8), pixels.shape), 0, 255).astype(
            np.uint8
        )
        if not target.exists():
            Image.fromarray(noisy).save(target, quality=90)


def memory_of(pid: int) -> float:
    """Proportional memory of a process and all below it, MB."""
    total = 0.0
    for process in [pid, *_children(pid)]:
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += (
                int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])
                / 1024
            )
        except (OSError, StopIteration):
            continue
    return total


def _children(pid: int) -> list[int]:
    try:
        own = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return own + [c for child in own for c in _children(child)]


def start(photos: Path, out: Path, search: str) -> subprocess.Popen:
    words = [
        sys.executable,
        "-m",
        "kinflow.cli",
        "fit",
        str(photos),
        "--out",
        str(out),
        "--no-overlay",
        "--search",
        search,
    ]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def whole_run(photos: Path, out: Path, search: str, fifths: int) -> tuple[float, list[float]]:
    """-> seconds, peak MB of all its processes in each fifth of its units (`fifths` of them)."""
    process, peaks = start(photos, out, search), [0.0] * 5

    def watch() -> None:
        while process.poll() is None:
            at = min(4, units_done(out) // max(1, fifths))
            peaks[at] = max(peaks[at], memory_of(process.pid))
            time.sleep(0.5)

    began = time.perf_counter()
    watcher = threading.Thread(target=watch)
    watcher.start()
    process.wait()
    watcher.join()
    return time.perf_counter() - began, peaks


def units_done(out: Path) -> int:
    """Lines of the journal after its header."""
    journal = out / "journal.jsonl"
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else 0


def digest(folder: Path) -> dict[str, str]:
    """Hash of everything but the journal, whose lines stand in the order of finishing."""
    return {
        p.name: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.iterdir())
        if p.name != "journal.jsonl"
    }


def run(options: BenchBatch) -> dict[str, float]:
    """Prints the figures."""
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kinflow-batch-"))
    source = options.photos or SAMPLES
    answer: dict[str, float] = {}
    print(
        f"{os.cpu_count()} cores; photos of at most {LONGEST} px made from {source}; {options.search} search"
    )
    for count in (options.count // 10, options.count):
        photos, out = folder / f"photos-{count}", folder / f"out-{count}"
        make_photos(source, photos, count)
        shutil.rmtree(out, ignore_errors=True)
        seconds, peaks = whole_run(photos, out, options.search, -(-count // (5 * UNIT)))
        people = len(list(out.glob("*.npz")))
        memory = ", ".join(f"{p:.0f}" for p in peaks)
        print(
            f"{count:>6} photos: {people} people, {seconds:.0f} s, {count / seconds:.2f} photos/s",
            flush=True,
        )
        print(
            f"{'':>6} peak memory of all processes in each fifth of the run: {memory} MB",
            flush=True,
        )
        answer |= {f"{count} photos/s": count / seconds, f"{count} peak MB": max(peaks)}
    photos, whole = folder / f"photos-{options.count}", folder / f"out-{options.count}"
    broken = folder / "out-killed"
    shutil.rmtree(broken, ignore_errors=True)
    pick = random.Random(options.seed)
    for number in range(options.kills):
        process = start(photos, broken, options.search)
        wait = pick.uniform(0.4, 1.6) * seconds / (options.kills + 1)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        say(
            f"killed {number + 1} of {options.kills} after {wait:.0f} s, {units_done(broken)} units done"
        )
    start(photos, broken, options.search).wait()
    a, b = digest(whole), digest(broken)
    different = [name for name in sorted(a.keys() | b.keys()) if a.get(name) != b.get(name)]
    print(
        f"killed {options.kills} times with SIGKILL and resumed: {len(a)} files, {len(different)} of them different {different[:5]}"
    )
    answer["different files"] = len(different)
    return answer
