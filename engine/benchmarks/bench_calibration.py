"""kinflow bench calibration: are keypoints as far off as their scales of error say?

Renders with known truth (`render_people`; --folder, by default the held-out set in the cache)
through `observe`. By bins of sigma, by kind of render, and by whether the keypoint shows: the share
of errors within one and two sigma, beside what the density that `perception.calibration` states
promises; and how well sigma ranks the errors.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kinflow import observe
from kinflow.commands.bench import BenchCalibration
from kinflow.paths import cache_folder
from kinflow.perception.calibration import share_within
from kinflow.terminal import counted

from .render_scenes import HIDDEN, KINDS, OUT, SHOWN
from .renders import Render, load_renders

EDGES = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, np.inf)  # of the person's size
SEEN = {"shown": SHOWN, "hidden": HIDDEN, "out of the photo": OUT}


@dataclass(frozen=True)
class Keypoints:
    """Of everybody found: error and sigma as shares of the person's size, confidence, visibility,
    kind of render (N,)."""

    error: np.ndarray
    sigma: np.ndarray
    confidence: np.ndarray
    visibility: np.ndarray
    kind: np.ndarray

    def line(self, name: str, who: np.ndarray) -> str:
        """A row of the table, of some, (N,) bool."""
        error, sigma = self.error[who], self.sigma[who]
        within = [f"{np.mean(error < times * sigma):>7.3f}" for times in (1, 2)]
        means = f"{100 * error.mean():>7.2f} {100 * sigma.mean():>7.2f}"
        return f"{name:>18} {who.sum():>6} {' '.join(within)} {means}"


def run(options: BenchCalibration) -> dict[str, float]:
    """Prints the table; returns shares and correlations."""
    folder = options.folder or cache_folder() / "renders" / "heldout"
    renders = load_renders(folder, KINDS, options.count)
    points = measure(renders)
    promised = [float(share_within(times)) for times in (1, 2)]
    print(f"{len(renders)} renders; keypoints in the photo whose scale is stated")
    print(f"{'':>18}  count  within  within   error   sigma")
    print(f"{'':>18}         1 sig.  2 sig.     % of the size")
    print(f"{'promised':>18} {'':>6} {promised[0]:>7.3f} {promised[1]:>7.3f}")
    everybody = np.ones(len(points.error), bool)
    print(points.line("all", everybody))
    for low, high in itertools.pairwise(EDGES):
        who = (points.sigma >= low) & (points.sigma < high)
        if who.any():
            print(points.line(f"sigma {100 * low:.1f} to {100 * high:.1f} %", who))
    for kind in KINDS:
        if (who := points.kind == kind).any():
            print(points.line(kind, who))
    for name, flag in SEEN.items():
        if (who := points.visibility == flag).any():
            print(points.line(name, who))
    answer = {
        "within_1_sigma": float(np.mean(points.error < points.sigma)),
        "within_2_sigma": float(np.mean(points.error < 2 * points.sigma)),
        "rank_correlation_sigma": spearman(points.error, points.sigma),
        "rank_correlation_confidence": spearman(points.error, -points.confidence),
    }
    print(
        f"rank correlation of the error with sigma {answer['rank_correlation_sigma']:.2f}, with "
        f"lack of confidence {answer['rank_correlation_confidence']:.2f}"
    )
    return answer


def measure(renders: Sequence[Render]) -> Keypoints:
    """Observes; keypoints beyond the rim are no evidence and left out."""
    columns = []
    for render in counted(renders, "Observing", "photos"):
        people = observe(render.path)
        whose = render.match([p.keypoints for p in people])
        for true, index in zip(render.people, whose, strict=True):
            if index is None:
                continue
            person = people[index]
            assert person.sigma is not None
            error = np.linalg.norm(person.keypoints - true.keypoints, axis=1)
            kind = np.full(len(error), render.kind)
            size = true.size
            values = (error / size, person.sigma / size, person.confidence, true.visibility, kind)
            columns.append(tuple(v[person.usable] for v in values))
    return Keypoints(*(np.concatenate(c) for c in zip(*columns, strict=True)))


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation."""
    ranks = [np.argsort(np.argsort(v)).astype(float) for v in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])
