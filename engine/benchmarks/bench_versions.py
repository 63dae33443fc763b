"""Two versions of kinflow beside each other, in one run: time and accuracy of a fit.

    python -m benchmarks.bench_versions --old PATH_OF_THE_OTHER_CHECKOUT [--pairs 20] [--people 200]

Each version fits in a process of its own; the two take turns, pair by pair, so that a machine that
slows down slows both. Times as ratios new / old with the 95 % interval of their geometric mean; the
energies and the MPJPE of the same people, paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from .versions import ENGINE, Version

WORKER = """
import json, sys, time
import numpy as np
from kinflow import Camera, Observation, fit
with np.load(sys.argv[1]) as data:
    people = [
        Observation(k, c, "coco17", Camera(*camera[:4], int(camera[4]), int(camera[5])))
        for k, c, camera in zip(data["keypoints"], data["confidence"], data["camera"])
    ]
print(json.dumps(sys.modules["kinflow"].__file__), flush=True)
for line in sys.stdin:
    task = json.loads(line)
    chosen = [people[i] for i in task["rows"]]
    began = time.perf_counter()
    for _ in range(task["times"]):
        results = fit(chosen, losses=("ka",), device="cpu")
    seconds = (time.perf_counter() - began) / task["times"]
    answer = {"seconds": seconds}
    if task["answers"]:
        answer["energy"] = [r.hypotheses[0].energy if r.hypotheses else None for r in results]
        answer["joints"] = [r.joints.tolist() for r in results]
    print(json.dumps(answer), flush=True)
"""


@dataclass(frozen=True)
class Options:
    """Which versions, and how much of it."""

    old: Path
    """The other checkout (its folder that holds `engine`)."""
    pairs: int = 20
    people: int = 200
    batch: int = 64
    noise: float = 3.0


def _fit(version: Version, rows: list[int], times: int = 1, answers: bool = False) -> dict:
    """Fits some of the people; seconds a call, and what came out where it is asked for."""
    return version.ask({"rows": rows, "times": times, "answers": answers})


def _ratio(old: Version, new: Version, rows: list[list[int]], times: int) -> str:
    logs = []
    for number, chosen in enumerate(rows):
        order = (old, new) if number % 2 else (new, old)
        seconds = {version: _fit(version, chosen, times)["seconds"] for version in order}
        logs.append(np.log(seconds[new] / seconds[old]))
    mean, error = np.mean(logs), 1.96 * np.std(logs, ddof=1) / np.sqrt(len(logs))
    low, middle, high = (float(np.exp(v)) for v in (mean - error, mean, mean + error))
    return f"{middle:.3f} [{low:.3f}, {high:.3f}], median {np.exp(np.median(logs)):.3f}"


def _paired(name: str, difference: np.ndarray) -> None:
    means = np.random.default_rng(0).choice(difference, (2000, len(difference))).mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    print(
        f"{name}: mean {difference.mean():+.3f} [{low:+.3f}, {high:+.3f}], median "
        f"{np.median(difference):+.3f}, 95th percentile {np.percentile(difference, 95):+.3f}"
    )


def run(options: Options) -> None:
    """Prints ratios and differences."""
    from kinflow.core.metrics import mpjpe

    from .synthetic import make_people

    people, joints, *_ = make_people(options.people, options.noise, parts=False)
    folder = ENGINE / "build"
    folder.mkdir(exist_ok=True)
    path = folder / "people.npz"
    names = ("fx", "fy", "cx", "cy", "width", "height")
    np.savez(
        path,
        keypoints=[p.keypoints for p in people],
        confidence=[p.confidence for p in people],
        camera=[[getattr(p.camera, n) for n in names] for p in people],
    )
    old, new = (Version(root, WORKER, str(path)) for root in (options.old, ENGINE.parent))
    for version in (old, new):
        _fit(version, [0], 3)
    everybody = list(range(options.people))
    single = [[i] for i in everybody[: options.pairs]]
    print(f"one photo, new / old: {_ratio(old, new, single, 5)}", flush=True)
    batch = [everybody[: options.batch]] * options.pairs
    print(f"a batch of {options.batch}, new / old: {_ratio(old, new, batch, 1)}", flush=True)
    answers = [_fit(version, everybody, answers=True) for version in (new, old)]
    energy = [np.array(a["energy"], float) for a in answers]
    _paired("energy, new - old, nats", energy[0] - energy[1])
    errors = [1e3 * mpjpe(np.array(a["joints"]), joints) for a in answers]
    _paired("MPJPE, new - old, mm", errors[0] - errors[1])


if __name__ == "__main__":
    run(tyro.cli(Options))
