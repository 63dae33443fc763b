"""kinflow bench speed: milliseconds a photo and photos a second, beside the usual way, in one run.

The same people, keypoints, cameras, body and threads for both. MPJPE against the known truth stands
beside every time, so that no speed is bought with accuracy. "One answer" leaves out the search for
limbs bent the other way in depth, which the usual way has none of either.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from kinflow import FitResult, Observation, fit
from kinflow.commands.bench import BenchSpeed
from kinflow.fitting.config import FitConfig
from kinflow.terminal import counted

from .baselines import load_baselines
from .synthetic import Truths, make_people
from .tables import joint_errors
from .usual_way import UsualFitter

OURS = "kinflow ka, 4 starts"


class Stopwatch:
    """Times one photo at a time and keeps the medians of every row, s."""

    def __init__(self, truth: Truths) -> None:
        self.truth = truth
        self.medians: dict[str, float] = {}

    def run(self, name: str, people: list[Observation], call: Callable[[Observation], Any]) -> list:
        """Calls for everybody by themselves; prints the row. -> the results."""
        times, results = [], []
        for person in counted(people, name, "photos"):
            started = time.perf_counter()
            results.append(call(person))
            times.append(time.perf_counter() - started)
        error, aligned = joint_errors([r.joints for r in results], self.truth.joints)
        self.medians[name] = float(np.median(times))
        print(
            f"{name:>34} {1e3 * np.median(times):>10.1f} {1e3 * np.percentile(times, 95):>10.1f} "
            f"{error.mean():>9.1f} {aligned.mean():>9.1f}",
            flush=True,
        )
        return results


def run(options: BenchSpeed) -> dict[str, float]:
    """Prints the table; returns the median seconds of each row."""
    torch.set_num_threads(options.threads)
    device = "cuda" if options.device == "auto" and torch.cuda.is_available() else options.device
    device = "cpu" if device == "auto" else device
    truth = make_people(options.photos, 3.0, seed=options.seed)
    fit(truth.people[0], device=device)
    print(
        f"{options.photos} photos, {options.threads} thread(s), {device}; times of one photo alone"
    )
    print(f"{'':>34} {'median ms':>10} {'p95 ms':>10} {'MPJPE mm':>9} {'PA mm':>9}")
    watch = Stopwatch(truth)
    _time_kinflow(watch, device)
    _time_usual_way(watch)
    return watch.medians | {"photos_per_second": _batch_rate(options, device)}


def _time_kinflow(watch: Stopwatch, device: str) -> None:
    people = watch.truth.people
    keypoints_alone = [replace(person, parts=None) for person in people]
    for losses, other_depths in ((("ka",), False), (("ka",), True), (("ka", "ba"), True)):

        def call(
            person: Observation, losses: tuple = losses, other_depths: bool = other_depths
        ) -> FitResult:
            config = FitConfig(hypotheses=other_depths)
            return fit(person, losses=losses, device=device, config=config)[0]

        name = f"kinflow {'+'.join(losses)}, 4 starts" + ("" if other_depths else ", one answer")
        # KA is shown keypoints alone, as the usual way is
        watch.run(name, people if "ba" in losses else keypoints_alone, call)


def _time_usual_way(watch: Stopwatch) -> None:
    fitter = UsualFitter(load_baselines()["vposer"])
    for starts in (1, 4):
        name = f"the usual way, {starts} start{'s' if starts > 1 else ''}"
        results = watch.run(
            name, watch.truth.people, lambda p, starts=starts: fitter.fit(p, starts)
        )
        ratios = [watch.medians[name] / watch.medians[OURS + kind] for kind in (", one answer", "")]
        evaluations = np.mean([r.evaluations for r in results])
        print(
            f"{'':>34} {evaluations:.0f} evaluations; {ratios[0]:.0f} and {ratios[1]:.0f} x "
            "kinflow's KA"
        )


def _batch_rate(options: BenchSpeed, device: str) -> float:
    """Photos a second in one batch, KA."""
    truth = make_people(options.batch, 3.0, seed=options.seed + 1, parts=False)
    started = time.perf_counter()
    results = fit(truth.people, losses=("ka",), device=device)
    rate = options.batch / (time.perf_counter() - started)
    error = joint_errors([r.joints for r in results], truth.joints)[0].mean()
    print(f"batch of {options.batch} x 4 starts, KA: {rate:.1f} photos/s, MPJPE {error:.1f} mm")
    return rate
