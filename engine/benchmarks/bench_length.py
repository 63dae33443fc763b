"""kinflow bench length: seconds and memory of clips of any length, from keypoints that are stored.

A captured walk, forth and back as often as it takes, its keypoints in a `batch.spool` on disk. Each
length is fitted in a process of its own, which says the most memory that it held.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from kinflow import Observation
from kinflow.batch.clip import Followed
from kinflow.batch.spool import Spool
from kinflow.commands.bench import BenchLength
from kinflow.fitting.sequence import fit_windows, track
from kinflow.records import FITTED

from .motions import Seen, load_motions

WALK = "cmu/26_01"
WARM = 60  # frames that are fitted first, so that what is loaded once counts for nobody


def run(options: BenchLength) -> dict[str, float]:
    """Prints a line a length."""
    answer = {}
    for frames in options.frames:
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), frames)
            command = [sys.executable, "-m", "benchmarks.bench_length", folder, str(frames)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        one = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{frames} frames: {one['seconds']:.0f} s, {1e3 * one['seconds'] / frames:.0f} ms a "
            f"frame, at most {one['megabytes']:.0f} MB, {one['fitted']} fitted",
            flush=True,
        )
        answer |= {f"{frames} {name}": value for name, value in one.items()}
    return answer


def fill(folder: Path, frames: int) -> None:
    """Stores so many frames."""
    motions = load_motions("heldout_motions.npz", Seen())
    walk = next(m for m in motions if m.name == WALK).people
    there_and_back = [*walk, *walk[-2:0:-1]]
    with Spool(folder, {}) as spool:
        for frame in range(frames):
            person: Observation = there_and_back[frame % len(there_and_back)]
            spool.add_frame(frame, [replace(person, photo=frame)], "")


def fitted(folder: Path, frames: int) -> dict[str, float]:
    """Fits what is stored, keeping nothing but the count of results."""
    with Spool(folder, {}) as spool:
        one = track(spool)[0]
        seen = Followed.of(one, spool)
        options = {"losses": ("ka",), "device": "cpu"}
        list(fit_windows(seen[:WARM], **options))
        started, good = time.perf_counter(), 0
        for window in fit_windows(seen, frames=seen.frames, **options):
            good += sum(result.status in FITTED for result in window)
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "megabytes": peak, "fitted": good}


if __name__ == "__main__":
    print(json.dumps(fitted(Path(sys.argv[1]), int(sys.argv[2]))))
