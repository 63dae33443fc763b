"""kinflow bench speed: milliseconds a photo and photos a second, beside the usual way, in one run.

The same people, keypoints, cameras, body and threads for both. MPJPE against the known truth stands beside every time,
so that no speed is bought with accuracy. "One answer" leaves out the search for limbs bent the other way in depth, which
the usual way has none of either.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from kinflow import fit
from kinflow.commands.bench import BenchSpeed
from kinflow.fitting.fit import FitConfig
from kinflow.core.metrics import mpjpe, pa_mpjpe

from .baselines import load_baselines
from .synthetic import make_people
from .usual_way import UsualFitter


def _line(
    name: str, times: list[float], joints: list[np.ndarray], truth: np.ndarray, note: str = ""
) -> None:
    error = 1e3 * np.array([mpjpe(a, b) for a, b in zip(joints, truth, strict=True)])
    aligned = 1e3 * np.array([pa_mpjpe(a, b) for a, b in zip(joints, truth, strict=True)])
    print(
        f"{name:>34} {1e3 * np.median(times):>10.1f} {1e3 * np.percentile(times, 95):>10.1f} {error.mean():>9.1f} {aligned.mean():>9.1f}  {note}",
        flush=True,
    )


def _singly(people, **options) -> tuple[list[float], list[np.ndarray]]:
    times, joints = [], []
    for person in people:
        started = time.perf_counter()
        result = fit(person, **options)[0]
        times.append(time.perf_counter() - started)
        joints.append(result.joints)
    return times, joints


def run(options: BenchSpeed) -> dict[str, float]:
    """Prints the table; returns the median seconds of each row."""
    torch.set_num_threads(options.threads)
    device = "cuda" if options.device == "auto" and torch.cuda.is_available() else options.device
    device = "cpu" if device == "auto" else device
    people, truth, *_ = make_people(options.photos, 3.0, seed=options.seed)
    fit(people[0], device=device)
    print(
        f"{options.photos} photos, {options.threads} thread(s), {device}; times of one photo alone"
    )
    print(f"{'':>34} {'median ms':>10} {'p95 ms':>10} {'MPJPE mm':>9} {'PA mm':>9}")
    medians = {}
    for losses, other_depths in ((("ka",), False), (("ka",), True), (("ka", "ba"), True)):
        name = f"kinflow {'+'.join(losses)}, 4 starts" + ("" if other_depths else ", one answer")
        # keypoints alone are all that KA and the usual way are told
        told = people if "ba" in losses else [replace(person, parts=None) for person in people]
        times, joints = _singly(
            told, losses=losses, device=device, config=FitConfig(hypotheses=other_depths)
        )
        medians[name] = float(np.median(times))
        _line(name, times, joints, truth)
    fitter = UsualFitter(load_baselines()["vposer"])
    for starts in (1, 4):
        times, joints, evaluations = [], [], []
        for person in people:
            started = time.perf_counter()
            result = fitter.fit(person, starts)  # of a person's parts it takes no notice
            times.append(time.perf_counter() - started)
            joints.append(result.joints)
            evaluations.append(result.evaluations)
        name = f"the usual way, {starts} start{'s' if starts > 1 else ''}"
        medians[name] = float(np.median(times))
        ratios = [
            medians[name] / medians[f"kinflow ka, 4 starts{kind}"] for kind in (", one answer", "")
        ]
        _line(
            name,
            times,
            joints,
            truth,
            f"{np.mean(evaluations):.0f} evaluations; {ratios[0]:.0f} and {ratios[1]:.0f} x kinflow's KA",
        )
    many, many_truth, *_ = make_people(options.batch, 3.0, seed=options.seed + 1, parts=False)
    started = time.perf_counter()
    results = fit(many, losses=("ka",), device=device)
    seconds = time.perf_counter() - started
    error = 1e3 * np.mean([mpjpe(r.joints, j) for r, j in zip(results, many_truth, strict=True)])
    print(
        f"batch of {options.batch} x 4 starts, KA: {options.batch / seconds:.1f} photos/s, MPJPE {error:.1f} mm"
    )
    return medians | {"photos_per_second": options.batch / seconds}
