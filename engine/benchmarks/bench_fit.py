"""kinflow bench fit: the paper's figure 1 on synthetic truth, because 3DPW may not be had.

{none, mixture, VPoser, shipped priors} x {KA, KA+BA} under one solver with one budget: four rotated starts, the same
stages, the same grid of prior weights, picked for each prior and loss on validation poses. 95% intervals by bootstrap
over clips; part mIoU always against the true rendered parts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from kinflow import FitResult, fit, load_body
from kinflow.bodies.parts import NUM_PARTS
from kinflow.commands.bench import BenchFit
from kinflow.drawing.zbuffer import part_iou, part_map, rasterise
from kinflow.fitting.fit import NEAR_START, FitConfig
from kinflow.priors.prior import load_prior
from kinflow.core.metrics import mpjpe, pa_mpjpe
from kinflow.training.prior import clip_interval

from .baselines import load_baselines
from .baselines.linear import Mixture
from .make_heldout import VALIDATION
from .synthetic import SIZE, make_people

WEIGHTS = (0.1, 0.3, 1.0, 3.0)
REGRESSOR = (
    "light+regressor"  # the light prior from the regressor's guess instead of four rotations
)
PRIORS = ("vposer", "light", REGRESSOR, "realnvp", "none", "mixture", "light-aa", "light-rotmat")
LOSSES = (("ka",), ("ka", "ba"))


def fit_all(people, prior, losses, weight: float, starts: str | None = None) -> list[FitResult]:
    """Everybody in one batch. Of a mixture's components the one whose keypoint fit has the lowest energy (max-mixture)."""
    config = NEAR_START if starts == "regressor" else FitConfig()
    config = replace(config, weights=replace(config.weights, latent=weight))
    if not isinstance(prior, Mixture):
        return fit(people, prior=prior, losses=losses, device="cpu", config=config, starts=starts)
    runs = [
        fit(people, prior=c, losses=("ka",), device="cpu", config=config) for c in prior.components
    ]
    energies = np.array(
        [[r.hypotheses[0].energy if r.hypotheses else np.inf for r in run] for run in runs]
    )
    best = (energies + weight * np.array([[c.offset] for c in prior.components])).argmin(0)
    results = [runs[k][i] for i, k in enumerate(best)]
    if "ba" in losses:
        for k in np.unique(best):
            rows = np.flatnonzero(best == k)
            again = fit(
                [people[i] for i in rows],
                prior=prior.components[k],
                losses=losses,
                device="cpu",
                config=config,
            )
            for i, result in zip(rows, again, strict=True):
                results[i] = result
    return results


@dataclass(frozen=True)
class Cell:
    """Errors a person in mm, px and IoU."""

    mpjpe: np.ndarray
    pa_mpjpe: np.ndarray
    mpvpe: np.ndarray
    pixels: float
    iou: float
    ms: float


def measure(
    results: list[FitResult], joints: np.ndarray, meshes: np.ndarray, truth: list, ms: float
) -> Cell:
    body = load_body()
    faces, labels = body.faces.numpy(), body.parts.numpy()
    overlap = []
    for r, parts in zip(results, truth, strict=True):
        if parts is None:
            continue
        mesh = r.vertices.astype(float)
        raster = rasterise(r.camera.project(mesh), mesh[:, 2], faces, SIZE, SIZE)
        overlap.append(part_iou(part_map(raster, faces, labels), parts, NUM_PARTS))
    mesh_error = [
        1e3 * np.linalg.norm((r.vertices[::8] - r.joints[0]) - (m - j[0]), axis=-1).mean()
        for r, j, m in zip(results, joints, meshes, strict=True)
    ]
    return Cell(
        1e3 * np.array([mpjpe(r.joints, j) for r, j in zip(results, joints, strict=True)]),
        1e3 * np.array([pa_mpjpe(r.joints, j) for r, j in zip(results, joints, strict=True)]),
        np.array(mesh_error),
        float(np.mean([r.keypoint_error_px for r in results])),
        float(np.mean(overlap)) if overlap else float("nan"),
        ms,
    )


def run(options: BenchFit) -> dict[str, float]:
    """Prints the table; returns the mean MPJPE of each cell."""
    torch.set_num_threads(options.threads)
    people, joints, truth, clip, meshes = make_people(options.count, options.noise, options.seed)
    trial_people, trial_joints, *_ = make_people(
        options.validation, options.noise, options.seed + 1, source=VALIDATION
    )
    baselines = load_baselines()
    print(
        f"{options.count} held-out poses, {options.noise} px noise, {options.threads} thread(s); weights from {options.validation} validation poses"
    )
    print(
        f"{'prior':>15} {'loss':>6} {'MPJPE mm':>21} {'vs vposer':>21} {'PA-MPJPE':>9} {'MPVPE mm':>21} {'2D px':>6} {'mIoU':>5} {'weight':>6} "
        f"{'ms':>5}"
    )
    cells: dict[tuple[str, str], Cell] = {}
    names = [n for n in PRIORS if n in (options.priors or PRIORS)]
    for name in names:
        starts = "regressor" if name == REGRESSOR else None
        prior = (
            baselines[name] if name in baselines else load_prior(name.removesuffix("+regressor"))
        )
        for losses in LOSSES:
            errors = [
                np.mean(
                    [
                        mpjpe(r.joints, j)
                        for r, j in zip(
                            fit_all(trial_people, prior, losses, w, starts),
                            trial_joints,
                            strict=True,
                        )
                    ]
                )
                for w in WEIGHTS
            ]
            weight = WEIGHTS[int(np.argmin(errors))]
            started = time.perf_counter()
            results = fit_all(people, prior, losses, weight, starts)
            ms = 1e3 * (time.perf_counter() - started) / len(people)
            cell = cells[name, "+".join(losses)] = measure(results, joints, meshes, truth, ms)
            show = lambda values: "{:.1f} [{:.1f}, {:.1f}]".format(*clip_interval(values, clip))  # noqa: E731
            other = cells.get(("vposer", "+".join(losses)))
            paired = show(cell.mpjpe - other.mpjpe) if other and name != "vposer" else ""
            print(
                f"{name:>15} {'+'.join(losses):>6} {show(cell.mpjpe):>21} {paired:>21} {cell.pa_mpjpe.mean():>9.1f} {show(cell.mpvpe):>21} "
                f"{cell.pixels:>6.2f} {cell.iou:>5.2f} {weight:>6} {ms:>5.0f}",
                flush=True,
            )
    return {f"{name} {losses}": float(cell.mpjpe.mean()) for (name, losses), cell in cells.items()}
