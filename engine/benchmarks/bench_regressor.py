"""kinflow bench regressor: what photos without labels are worth (the supplement's section 4).

A regressor with full supervision (FS) on drawn people of one generator is refined (WS) on people of another: captured
poses, other shapes, cameras from above with wider lenses, textured clothes before clutter; their part maps and
keypoints corrupted as the detector's are. KA alone and KA with BA, at 10, 30, 60 and 100 % of the unlabelled set, with
several seeds. Measured on held-out poses of the second generator against true keypoints and true parts. Trained networks and
finished rows are kept in the folder, so that a run that is cut off goes on.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from kinflow import load_body, load_prior
from kinflow.commands.bench import BenchRegressor
from kinflow.commands.common import say
from kinflow.guess.figure import Figure
from kinflow.paths import cache_folder
from kinflow.guess.network import Regressor, load_regressor, save_regressor
from kinflow.training.regressor.evaluate import Score, score
from kinflow.training.regressor.supervised import (
    OTHER_CASTING,
    OTHER_STYLE,
    captured_poses,
    drawn,
    train_supervised,
)
from kinflow.training.regressor.weak import WeakConfig, refine, unlabelled_of_people
from kinflow.training.synthetic import Casting

from .make_heldout import HELDOUT, TRAINING

SHARES = (0.1, 0.3, 0.6, 1.0)
OVERLAPS = 200


class Rows:
    """Finished rows, kept as they come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known = (
            {
                tuple(key): Score(*value)
                for key, value in map(json.loads, path.read_text().splitlines())
            }
            if path.exists()
            else {}
        )

    def get(self, key: tuple, make) -> Score:
        if key not in self.known:
            self.known[key] = make()
            with open(self.path, "a") as stream:
                stream.write(json.dumps([list(key), list(vars(self.known[key]).values())]) + "\n")
            found = self.known[key]
            say(
                f"{key}: {found.pixels:.2f} px, mIoU {found.part_iou:.4f}, MPJPE {found.mpjpe:.1f} mm"
            )
        return self.known[key]


def run(options: BenchRegressor) -> dict[str, float]:
    """Prints the table; returns the means."""
    torch.set_num_threads(options.threads)
    folder = options.folder or cache_folder() / "bench-regressor"
    folder.mkdir(parents=True, exist_ok=True)
    people = drawn(folder / "fs.npz", options.people, 0, Casting(), None, say)
    crowd = drawn(
        folder / "weak.npz",
        options.unlabelled,
        5,
        OTHER_CASTING,
        captured_poses((TRAINING,), options.unlabelled, 5),
        say,
    )
    test = drawn(
        folder / "test.npz",
        options.test,
        7,
        OTHER_CASTING,
        captured_poses((HELDOUT,), options.test, 7),
        say,
    )
    figure = Figure.of(load_body(), load_prior("light"))
    kept = folder / f"{options.descent}-steps"
    kept.mkdir(exist_ok=True)
    rows = Rows(kept / "rows.jsonl")
    for seed in range(options.seeds) if options.only_seed is None else (options.only_seed,):
        path = kept / f"fs{seed}.safetensors"
        if not path.exists():
            net, _ = train_supervised(
                people,
                options.steps,
                48,
                1e-3,
                seed,
                torch.device("cpu"),
                say,
                descent=options.descent,
            )
            save_regressor(path, net)
        base: Regressor = load_regressor(path)
        rows.get(
            ("FS", 0.0, seed),
            lambda base=base: score(figure, base, test, OTHER_STYLE, overlaps=OVERLAPS),
        )
        unlabelled = unlabelled_of_people(crowd, OTHER_STYLE, seed)
        for share in SHARES:
            chosen = unlabelled.pick(torch.arange(round(share * len(unlabelled))))
            for name, part in (("WS+KA", 0.0), ("WS+KA+BA", WeakConfig().part)):

                def train(
                    base=base, chosen=chosen, name=name, part=part, share=share, seed=seed
                ) -> Score:
                    config = replace(WeakConfig(), steps=options.weak_steps, part=part)
                    net = refine(base, chosen, config, figure, seed, people)
                    save_regressor(kept / f"{name}-{share}-{seed}.safetensors", net)  # type: ignore[arg-type]
                    return score(figure, net, test, OTHER_STYLE, overlaps=OVERLAPS)

                rows.get((name, share, seed), train)
    if options.only_seed is not None:
        return {}
    print(
        f"{len(test)} held-out people, {options.seeds} seeds: mean (deviation over seeds); WS less FS of the same seed"
    )
    print(
        f"{'':>10} {'photos':>7} {'2D px':>14} {'mIoU':>16} {'MPJPE mm':>14} {'2D less FS':>12} {'mIoU less FS':>13}"
    )
    answer = {}
    for name, shares in (("FS", (0.0,)), ("WS+KA", SHARES), ("WS+KA+BA", SHARES)):
        for share in shares:
            table = np.array(
                [list(vars(rows.known[name, share, s]).values()) for s in range(options.seeds)]
            )
            base_rows = np.array(
                [list(vars(rows.known["FS", 0.0, s]).values()) for s in range(options.seeds)]
            )
            mean, spread, change = table.mean(0), table.std(0), (table - base_rows).mean(0)
            print(
                f"{name:>10} {round(share * options.unlabelled):>7} {mean[0]:>7.2f} ({spread[0]:.2f}) {mean[1]:>8.4f} ({spread[1]:.4f}) "
                f"{mean[2]:>7.1f} ({spread[2]:.1f}) {change[0]:>12.2f} {change[1]:>13.4f}"
            )
            answer |= {f"{name} {share} px": float(mean[0]), f"{name} {share} miou": float(mean[1])}
    return answer
