"""kinflow bench fit: the paper's figure 1 on synthetic truth, because 3DPW may not be had.

{none, mixture, VPoser, shipped priors} x {KA, KA+BA} under one solver with one budget: four rotated
starts, the same stages, the same grid of prior weights, picked for each prior and loss on
validation poses. 95% intervals by bootstrap over clips. KA and BA are the paper's definitions in px
(equation 1, and its pendant for body parts); BA and the part mIoU always against the true rendered
parts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from kinflow import FitResult, fit, load_body
from kinflow.bodies.parts import NUM_PARTS
from kinflow.commands.bench import BenchFit
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.terms.parts import part_alignment
from kinflow.drawing.zbuffer import part_iou, part_map, rasterise, visible_vertices
from kinflow.fitting.config import NEAR_START, FitConfig
from kinflow.priors.arrays import load_prior_arrays
from kinflow.terminal import counted

from .baselines import load_baselines
from .baselines.linear import Mixture
from .make_heldout import VALIDATION
from .synthetic import EVERY, Truths, make_people
from .tables import interval, joint_errors, mesh_errors

WEIGHTS = (0.1, 0.3, 1.0, 3.0)
# the light prior from the regressor's guess instead of four rotations
REGRESSOR = "light+regressor"
PRIORS = ("vposer", "light", REGRESSOR, "realnvp", "none", "mixture", "light-aa", "light-rotmat")
LOSSES = (("ka",), ("ka", "ba"))
PIXEL_STEP = 4  # of the labelled pixels one in so many, each way, is asked for BA


@dataclass(frozen=True)
class Entry:
    """One row of the table: a prior, where it starts from, and the losses."""

    name: str
    prior: object
    losses: tuple[str, ...]

    @property
    def starts(self) -> str | None:
        return "regressor" if self.name == REGRESSOR else None

    def fit(self, people: list, weight: float) -> list[FitResult]:
        """Everybody in one batch, with a weight of the prior.

        Of a mixture's components the one whose keypoint fit has the lowest energy (max-mixture).
        """
        config = NEAR_START if self.starts else FitConfig()
        config = replace(config, weights=replace(config.weights, latent=weight))
        options = {"device": "cpu", "config": config}
        if not isinstance(self.prior, Mixture):
            more = {"prior": self.prior, "losses": self.losses, "starts": self.starts}
            return fit(people, **more, **options)
        components = self.prior.components
        runs = [fit(people, prior=c, losses=("ka",), **options) for c in components]
        energies = np.array(
            [
                [energy(r) + weight * c.offset for r in run]
                for run, c in zip(runs, components, strict=True)
            ]
        )
        best = energies.argmin(0)
        results = [runs[k][i] for i, k in enumerate(best)]
        for k in np.unique(best) if "ba" in self.losses else ():
            rows = np.flatnonzero(best == k)
            chosen = [people[i] for i in rows]
            again = fit(chosen, prior=components[k], losses=self.losses, **options)
            for i, result in zip(rows, again, strict=True):
                results[i] = result
        return results

    def best_weight(self, trial: Truths) -> float:
        """The weight of the lowest MPJPE on validation poses."""
        errors = [
            joint_errors([r.joints for r in self.fit(trial.people, w)], trial.joints)[0].mean()
            for w in counted(WEIGHTS, f"{self.name}: weights", "weights")
        ]
        return WEIGHTS[int(np.argmin(errors))]


def energy(result: FitResult) -> float:
    """Of the best hypothesis; infinite where there is none."""
    return result.hypotheses[0].energy if result.hypotheses else np.inf


@dataclass(frozen=True)
class Cell:
    """Errors a person in mm; means of KA and BA in px, of the IoU, and of the time in ms."""

    mpjpe: np.ndarray
    pa_mpjpe: np.ndarray
    mpvpe: np.ndarray
    ka: float
    ba: float
    iou: float
    ms: float


def measure(results: list[FitResult], truth: Truths, ms: float) -> Cell:
    """How far results are from the truth."""
    pairs = zip(results, truth.parts, strict=True)
    parts = np.array([part_errors(r, labels) for r, labels in pairs if labels is not None])
    ba, iou = parts.mean(0) if len(parts) else (np.nan, np.nan)
    return Cell(
        *joint_errors([r.joints for r in results], truth.joints),
        mesh_errors(results, truth.joints, truth.vertices, EVERY),
        float(np.mean([r.keypoint_error_px for r in results])),
        float(ba),
        float(iou),
        ms,
    )


def part_errors(result: FitResult, labels: np.ndarray) -> tuple[float, float]:
    """Loss BA in px and the part mIoU of a result against a part map (H, W)."""
    body = load_body()
    faces, vertex_labels = body.faces.numpy(), body.parts.numpy()
    mesh = result.vertices.astype(float)
    image = result.camera.project(mesh)
    raster = rasterise(image, mesh[:, 2], faces, *labels.shape)
    visible = visible_vertices(raster, faces, len(mesh))
    grid = labels[PIXEL_STEP // 2 :: PIXEL_STEP, PIXEL_STEP // 2 :: PIXEL_STEP]
    ys, xs = np.nonzero(grid)
    pixels = PIXEL_STEP * np.stack((xs, ys), -1) + PIXEL_STEP // 2 + 0.5
    arrays = (image[visible], vertex_labels[visible], pixels, grid[ys, xs].astype(int))
    ba = part_alignment(xp, *(a[None] for a in arrays))
    return float(ba[0]), part_iou(part_map(raster, faces, vertex_labels), labels, NUM_PARTS)


def run(options: BenchFit) -> dict[str, float]:
    """Prints the table; returns the mean MPJPE of each cell."""
    torch.set_num_threads(options.threads)
    truth = make_people(options.count, options.noise, options.seed)
    seed = options.seed + 1
    trial = make_people(options.validation, options.noise, seed, source=VALIDATION)
    baselines = load_baselines()
    print(
        f"{options.count} held-out poses, {options.noise} px noise, {options.threads} thread(s); "
        f"weights from {options.validation} validation poses"
    )
    print(
        f"{'prior':>15} {'loss':>6} {'MPJPE mm':>21} {'vs vposer':>21} {'PA-MPJPE':>9} "
        f"{'MPVPE mm':>21} {'KA px':>6} {'BA px':>6} {'mIoU':>5} {'weight':>6} {'ms':>5}"
    )
    cells: dict[tuple[str, str], Cell] = {}
    for name in [n for n in PRIORS if n in (options.priors or PRIORS)]:
        prior = baselines.get(name) or load_prior_arrays(name.removesuffix("+regressor"))
        for losses in LOSSES:
            entry = Entry(name, prior, losses)
            weight = entry.best_weight(trial)
            started = time.perf_counter()
            results = entry.fit(truth.people, weight)
            ms = 1e3 * (time.perf_counter() - started) / len(results)
            label = "+".join(losses)
            cells[name, label] = cell = measure(results, truth, ms)
            reference = cells.get(("vposer", label)) if name != "vposer" else None
            paired = interval(cell.mpjpe - reference.mpjpe, truth.clip) if reference else ""
            print(
                f"{name:>15} {label:>6} {interval(cell.mpjpe, truth.clip):>21} {paired:>21} "
                f"{cell.pa_mpjpe.mean():>9.1f} {interval(cell.mpvpe, truth.clip):>21} "
                f"{cell.ka:>6.2f} {cell.ba:>6.2f} {cell.iou:>5.2f} {weight:>6} {ms:>5.0f}",
                flush=True,
            )
    return {f"{name} {losses}": float(cell.mpjpe.mean()) for (name, losses), cell in cells.items()}
