"""kinflow bench sequence: captured motions that stand, as a detector would see them.

Noise of which half lasts from frame to frame, 6 % of the keypoints missing, limbs that are not seen
for a while (`motions`). Beside the fit of the whole: every frame by itself, the same calmed by One
Euro and by Savitzky and Golay with the constants that are best on validation motions, and with
--old CHECKOUT that version's fit of the whole, in the same run. What was fitted is kept in --folder
(by default in the cache), so that a run that was cut off goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from kinflow.commands.bench import BenchSequence
from kinflow.paths import cache_folder
from kinflow.terminal import counted

from .motion_errors import MEASURES, UNITS, Fitted, errors
from .motions import Motion, Seen, load_motions
from .smoothing import ONE_EURO, SAVITZKY, one_euro, savitzky_golay, smoothed
from .tables import interval
from .versions import ENGINE, Version

WORKER = (Path(__file__).parent / "sequence_worker.py").read_text("utf-8")
SHOWN = ("mpjpe", "acceleration", "skate", "float", "sinking", "f1")
Ways = dict[str, Callable[[Motion], Fitted]]


class Fits:
    """Versions of kinflow at work, and what they have fitted."""

    def __init__(self, options: BenchSequence) -> None:
        self.folder = options.folder or cache_folder() / "sequence"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._threads, self._versions = options.threads, dict[Path, Version]()
        self.seconds: dict[str, list[float]] = {}

    def of(self, motion: Motion, checkout: Path, name: str, whole: bool) -> Fitted:
        """Somebody's frames, as one sequence or each by itself."""
        task = {"people": [p.to_json() for p in motion.people], "whole": whole}
        mark = hashlib.sha256(json.dumps([name, task]).encode()).hexdigest()[:16]
        kept = self.folder / f"{mark}.json"
        if not kept.exists():
            if checkout not in self._versions:
                self._versions[checkout] = Version(checkout, WORKER, threads=self._threads)
            kept.write_text(json.dumps(self._versions[checkout].ask(task)))
        answer = json.loads(kept.read_text())
        per_frame = 1e3 * answer["seconds"] / len(motion.people)
        self.seconds.setdefault(name, []).append(per_frame)
        parameters = {k: np.array(v) for k, v in answer["parameters"].items()}
        return Fitted.of(parameters, (np.array(answer["gravity"]), answer["floor"]))


def run(options: BenchSequence) -> dict[str, float]:
    """Prints the tables; returns this version's means."""
    fits = Fits(options)
    alone = partial(fits.of, checkout=ENGINE.parent, name="frame by frame", whole=False)
    trial = load_motions("validation_motions.npz", Seen(options.noise, options.seed + 1))
    euro, polynomial = _best(trial, alone)
    ways: Ways = {
        "frame by frame": alone,
        "One Euro": lambda m: _calm(alone(m), partial(one_euro, cutoff=euro[0], beta=euro[1])),
        "Savitzky-Golay": lambda m: _calm(
            alone(m), partial(savitzky_golay, window=polynomial[0], order=polynomial[1])
        ),
    }
    if options.old is not None:
        ways["old sequence"] = partial(
            fits.of, checkout=options.old, name=f"old {options.old}", whole=True
        )
    name = f"sequence {_version()}"
    ways["sequence"] = partial(fits.of, checkout=ENGINE.parent, name=name, whole=True)
    motions = load_motions("heldout_motions.npz", Seen(options.noise, options.seed))
    rows = {way: _table(call, motions, way) for way, call in ways.items()}
    _print(rows, motions, fits)
    return dict(zip(MEASURES, np.nanmean(rows["sequence"], axis=0).tolist(), strict=True))


def _version() -> str:
    """Of the code that fits sequences, so that kept fits of another are not taken for its own."""
    files = sorted((ENGINE / "kinflow").glob("fitting/**/*.py")) + sorted(
        (ENGINE / "kinflow").glob("core/**/*.py")
    )
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:12]


def _table(call: Callable[[Motion], Fitted], motions: list[Motion], way: str) -> np.ndarray:
    """MEASURES of every motion (N, 8)."""
    found = [errors(call(motion), motion) for motion in counted(motions, way, "motions")]
    return np.array([[one[name] for name in MEASURES] for one in found])


def _calm(frames: Fitted, way: Callable[[np.ndarray], np.ndarray]) -> Fitted:
    return Fitted.of(smoothed(frames.parameters, way), (frames.gravity, frames.floor))


def _best(trial: list[Motion], alone: Callable[[Motion], Fitted]) -> tuple[tuple, tuple]:
    """The rivals' constants of the least mean MPJPE on validation motions."""
    frames = [alone(m) for m in trial]
    chosen = []
    for way, grid, names in (
        (one_euro, ONE_EURO, ("cutoff", "beta")),
        (savitzky_golay, SAVITZKY, ("window", "order")),
    ):
        means = {}
        for constants in grid:
            call = partial(way, **dict(zip(names, constants, strict=True)))
            found = [errors(_calm(f, call), m) for f, m in zip(frames, trial, strict=True)]
            means[constants] = np.mean([[e["mpjpe"], e["skate"]] for e in found], axis=0)
        said = ", ".join(f"{c}: {v[0]:.1f} mm, skate {v[1]:.1f}" for c, v in means.items())
        print(f"validation, {way.__name__}: {said}")
        chosen.append(min(grid, key=lambda c: means[c][0]))
    return chosen[0], chosen[1]


def _print(rows: dict[str, np.ndarray], motions: list[Motion], fits: Fits) -> None:
    frames = sum(len(m.people) for m in motions)
    clip = np.arange(len(motions))
    print(f"{len(motions)} held-out motions, {frames} frames; {', '.join(MEASURES)}: {UNITS}")
    truth = np.array([_standing(m) for m in motions])
    print(
        f"the truth itself: skate {np.nanmean(truth[:, 0]):.1f}, sinking {truth[:, 1].mean():.1f}"
    )
    for way, table in rows.items():
        cells = []
        for name in SHOWN:
            column = table[:, MEASURES.index(name)]
            known = np.isfinite(column)
            scale = 100 if name == "f1" else 1
            cells.append(f"{name} {interval(scale * column[known], clip[known])}")
        key = next((k for k in fits.seconds if k.startswith(way.split()[0])), "")
        speed = f", {np.median(fits.seconds[key]):.0f} ms a frame" if key in fits.seconds else ""
        print(f"{way:>15}: {', '.join(cells)}{speed}", flush=True)
    for kind in dict.fromkeys(m.kind for m in motions):
        which = np.array([m.kind == kind for m in motions])
        print(f"  {kind}: ", end="")
        for way in ("frame by frame", *[w for w in rows if w.endswith("sequence")]):
            means = dict(zip(MEASURES, np.nanmean(rows[way][which], axis=0), strict=True))
            print(f"{way}: {means['mpjpe']:.0f} mm, skate {means['skate']:.1f}; ", end="")
        print()


def _standing(motion: Motion) -> tuple[float, float]:
    """Skate and sinking of the truth, mm."""
    steps = np.linalg.norm(np.diff(motion.soles, axis=0), axis=-1)[motion.stands]
    below = (motion.soles @ motion.gravity).max(1) - motion.floor
    skate = 1e3 * float(steps.mean()) if steps.size else float("nan")
    return skate, 1e3 * float(np.maximum(below, 0).mean())
