"""kinflow bench regressor: what photos without labels are worth (the supplement's section 4).

A regressor with full supervision (FS) on drawn people of one generator is refined (WS) on people of
another: captured poses, other shapes, cameras from above with wider lenses; their part maps and
keypoints corrupted as the detector's are. KA alone and KA with BA, at 10, 30, 60 and 100 % of the
unlabelled set, with several seeds. Measured on held-out poses of the second generator against true
keypoints and true parts. Trained networks and finished rows are kept in the folder, so that a run
that is cut off goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from kinflow.commands.bench import BenchRegressor
from kinflow.guessing.network import Regressor, load_regressor, save_regressor
from kinflow.paths import cache_folder
from kinflow.terminal import say
from kinflow.training.regressor.evaluate import Score, score
from kinflow.training.regressor.stages import OTHER_CASTING, OTHER_STYLE, captured_poses
from kinflow.training.regressor.supervised import SupervisedConfig, Training, train_supervised
from kinflow.training.regressor.unlabelled import Unlabelled, unlabelled_of_people
from kinflow.training.regressor.weak import WeakConfig, refine
from kinflow.training.synthetic import Casting, Crowd, People, drawn

from .make_heldout import HELDOUT, TRAINING

SHARES = (0.1, 0.3, 0.6, 1.0)
PARTS = {"WS+KA": 0.0, "WS+KA+BA": WeakConfig().part}
OVERLAPS = 200
Key = tuple[str, float, int]
"""Name, share of the photos, seed."""


class Rows:
    """Finished rows, kept as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[Key, Score] = {}
        if path.exists():
            lines = map(json.loads, path.read_text().splitlines())
            self.known = {tuple(key): Score(*values) for key, values in lines}

    def get(self, key: Key, make: Callable[[], Score]) -> Score:
        """The row of a key, made first where it is not known."""
        if key not in self.known:
            row = self.known[key] = make()
            with open(self.path, "a") as stream:
                stream.write(json.dumps([list(key), list(astuple(row))]) + "\n")
            say(f"{key}: {row.text()}")
        return self.known[key]

    def table(self, name: str, share: float, seeds: int) -> np.ndarray:
        """Errors of all seeds, (seeds, 3)."""
        return np.array([astuple(self.known[name, share, s]) for s in range(seeds)])


@dataclass(frozen=True)
class Study:
    """What all trainings of the benchmark share."""

    options: BenchRegressor
    people: People
    crowd: People
    test: People
    training: Training
    folder: Path
    rows: Rows

    def score(self, net: Regressor) -> Score:
        return score(self.training.figure, net, self.test, OTHER_STYLE, overlaps=OVERLAPS)

    def run_seed(self, seed: int) -> None:
        """All rows of one seed."""
        training = replace(self.training, seed=seed)
        base = self._base(training)
        self.rows.get(("FS", 0.0, seed), lambda: self.score(base))
        unlabelled = unlabelled_of_people(self.crowd, OTHER_STYLE, seed)
        for share in SHARES:
            chosen = unlabelled.pick(torch.arange(round(share * len(unlabelled))))
            for name in PARTS:
                self._refined(base, chosen, (name, share, seed))

    def _base(self, training: Training) -> Regressor:
        path = self.folder / f"fs{training.seed}.safetensors"
        if not path.exists():
            config = SupervisedConfig(self.options.steps, descent=self.options.descent)
            save_regressor(path, train_supervised(self.people, config, training)[0])
        return load_regressor(path)

    def _refined(self, base: Regressor, chosen: Unlabelled, key: Key) -> None:
        name, share, seed = key
        config = WeakConfig(steps=self.options.weak_steps, part=PARTS[name])

        def train() -> Score:
            training = Training(self.training.figure, seed)
            net = refine(base, chosen, config, training, self.people)
            save_regressor(self.folder / f"{name}-{share}-{seed}.safetensors", net)
            return self.score(net)

        self.rows.get(key, train)


def make_study(options: BenchRegressor) -> Study:
    """Draws the people, or reads those of an earlier run."""
    folder = options.folder or cache_folder() / "bench-regressor"
    results = folder / f"{options.descent}-steps"
    results.mkdir(parents=True, exist_ok=True)
    crowd_poses = captured_poses((TRAINING,), options.unlabelled, 5)
    test_poses = captured_poses((HELDOUT,), options.test, 7)
    return Study(
        options,
        drawn(folder / "fs.npz", Crowd(options.people, 0, Casting()), say),
        drawn(folder / "weak.npz", Crowd(options.unlabelled, 5, OTHER_CASTING, crowd_poses), say),
        drawn(folder / "test.npz", Crowd(options.test, 7, OTHER_CASTING, test_poses), say),
        Training.on(torch.device("cpu"), report=say),
        results,
        Rows(results / "rows.jsonl"),
    )


def run(options: BenchRegressor) -> dict[str, float]:
    """Prints the table; returns the means."""
    torch.set_num_threads(options.threads)
    study = make_study(options)
    seeds = range(options.seeds) if options.only_seed is None else (options.only_seed,)
    for seed in seeds:
        study.run_seed(seed)
    return {} if options.only_seed is not None else print_table(study)


def print_table(study: Study) -> dict[str, float]:
    """Means over seeds, deviations, and the differences from FS of the same seed."""
    seeds, answer = study.options.seeds, {}
    print(
        f"{len(study.test)} held-out people, {seeds} seeds: mean (deviation over seeds); "
        "WS less FS of the same seed"
    )
    print(
        f"{'':>10} {'photos':>7} {'2D px':>14} {'mIoU':>16} {'MPJPE mm':>14} "
        f"{'2D less FS':>12} {'mIoU less FS':>13}"
    )
    base = study.rows.table("FS", 0.0, seeds)
    for name, share in [("FS", 0.0), *((n, s) for n in PARTS for s in SHARES)]:
        table = study.rows.table(name, share, seeds)
        (px, iou, mm), spread = table.mean(0), table.std(0)
        change = (table - base).mean(0)
        print(
            f"{name:>10} {round(share * study.options.unlabelled):>7} "
            f"{px:>7.2f} ({spread[0]:.2f}) {iou:>8.4f} ({spread[1]:.4f}) "
            f"{mm:>7.1f} ({spread[2]:.1f}) {change[0]:>12.2f} {change[1]:>13.4f}"
        )
        answer |= {f"{name} {share} px": float(px), f"{name} {share} miou": float(iou)}
    return answer
