"""python -m benchmarks.fit_calibration RENDERS: the constants of `kinflow.perception.calibration`.

Every keypoint of people in RENDERS/training and RENDERS/validation (`render_people`), hidden and
invented ones included: what the views say of it, and how far it is off. The logarithm of a scale of
error is a linear function of that; its weights are of maximum likelihood on the training renders.
What goes into it, the floor, and whether errors are Laplace's or Gauss's, are chosen by the
likelihood of the validation renders; then the weights are fitted on both.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinflow.perception.calibration import logarithms, share_within
from kinflow.perception.photos import read_photo
from kinflow.perception.search import in_boxes

from .bench_calibration import spearman
from .render_scenes import OUT
from .renders import Render, load_renders

FLOORS = (0.003, 0.005, 0.008, 0.012, 0.018, 0.027)
COLUMNS = {
    "nothing": [0],
    "spread": [0, 1],
    "spread, visible": [0, 1, 2],
}


@dataclass(frozen=True)
class Samples:
    """Of P people: spread, visible, error as a share of the person's size (P, 33)."""

    spread: np.ndarray
    visible: np.ndarray
    error: np.ndarray

    def features(self, floor: float, columns: Sequence[int]) -> np.ndarray:
        """(33 P, F)."""
        chosen = np.stack(logarithms(self.spread, self.visible, floor), -1)[..., columns]
        return chosen.reshape(-1, len(columns))


def collect(renders: Sequence[Render]) -> Samples:
    """Looks at the box of everybody who is asked for."""
    rows = []
    for render in renders:
        shown = [p.keypoints[p.visibility != OUT] for p in render.people]
        boxes = np.array([np.concatenate((k.min(0), k.max(0))) for k in shown])
        seen = in_boxes(read_photo(render.path).rgb, boxes)
        whose = render.match([person.points for person in seen])
        for true, index in zip(render.people, whose, strict=True):
            if index is not None:
                person = seen[index]
                error = np.linalg.norm(person.points - true.keypoints, axis=1) / person.size
                rows.append((person.spread, person.visible, error))
    return Samples(*(np.stack(column) for column in zip(*rows, strict=True)))


def likeliest(features: np.ndarray, error: np.ndarray, power: int) -> np.ndarray:
    """Weights w (F,) with log sigma = features w that make errors (N,) likeliest, by Newton steps.

    power: 1 for Laplace's density, 2 for Gauss's; minus log-likelihood is convex in w.
    """
    weights = np.zeros(features.shape[1])
    weights[0] = np.log(np.mean(error**power) / 2) / power
    for _ in range(100):
        ratio = error**power * np.exp(-power * (features @ weights))
        gradient = features.T @ (2 - ratio)
        step = np.linalg.solve((features.T * (power * ratio)) @ features, -gradient)
        step *= min(1.0, 2.0 / np.abs(step).max())
        weights = weights + step
        if np.abs(step).max() < 1e-9:
            break
    return weights


def log_likelihood(log_sigma: np.ndarray, error: np.ndarray, power: int) -> float:
    """Mean over keypoints, nats."""
    ratio = error**power * np.exp(-power * log_sigma)
    return float(np.mean(-ratio / power - 2 * log_sigma)) - float(np.log(2 * np.pi))


def choose(training: Samples, validation: Samples) -> np.ndarray:
    """Prints what each choice is worth; -> the weights of the best, fitted on both sets."""
    fitted, error = training.error.ravel(), validation.error.ravel()
    best, chosen = -np.inf, (0.0, [0])
    for (name, columns), floor, (density, power) in itertools.product(
        COLUMNS.items(), FLOORS, (("Laplace", 1), ("Gauss", 2))
    ):
        weights = likeliest(training.features(floor, columns), fitted, power)
        log_sigma = validation.features(floor, columns) @ weights
        sigma, nats = np.exp(log_sigma), log_likelihood(log_sigma, error, power)
        within = " ".join(f"{np.mean(error < times * sigma):.3f}" for times in (1, 2))
        print(
            f"{name:>25} floor {floor:.3f} {density:>8} {nats:.3f} nats, within {within}, rank "
            f"correlation {spearman(error, sigma):.3f}, weights {np.round(weights, 3)}"
        )
        if nats > best and density == "Laplace":
            best, chosen = nats, (floor, columns)
    both = np.concatenate((training.features(*chosen), validation.features(*chosen)))
    weights = likeliest(both, np.concatenate((fitted, error)), 1)
    print(f"chosen: floor {chosen[0]}; weights on both sets {np.round(weights, 3)}")
    return weights


def main(folder: Path) -> None:
    training, validation = (collect(load_renders(folder / n)) for n in ("training", "validation"))
    promised = f"{share_within(1.0):.3f} {share_within(2.0):.3f}"
    print(f"people: {len(training.error)} to fit, {len(validation.error)} to choose by")
    print(f"Laplace's density promises {promised} within 1 and 2 sigma; of validation:")
    choose(training, validation)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
