"""python -m benchmarks.prior_folds MOCAP_FOLDER OUT_FOLDER: kinds of motion that no prior saw.

Five folds over the training performers: `light`, VPoser, mixture and Gaussian are trained without
one kind of motion each and asked to complete, denoise, lift and reach its poses; weights are picked
on validation performers as in `prior eval`. What is trained lies in OUT_FOLDER and is used again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinflow.bodies.arrays import BodyArrays, default_body_arrays
from kinflow.mocap.dataset import Recording, load_recordings
from kinflow.priors.arrays import load_prior_arrays
from kinflow.training.prior import TrainPrior, train_prior

from .baselines import load_baselines
from .baselines.train import train_baselines
from .make_heldout import VALIDATION, write_split
from .prior_eval import Scores, load_poses, print_task, score, weights_of
from .prior_tasks import TASKS, Solver

FOLDS = ("pantomime", "karate", "Indian dance", "breakdance", "climbing, hanging")
MOST = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--folds", nargs="*", default=FOLDS)
    parser.add_argument("--only-train", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    recordings, body = load_recordings(options.mocap), default_body_arrays()
    for kind in options.folds:
        _train(recordings, options.mocap, options.out / _slug(kind), kind)
        if not options.only_train:
            _evaluate(body, recordings, options.out / _slug(kind), kind)


def _slug(kind: str) -> str:
    return kind.replace(",", "").replace(" ", "-")


def _train(recordings: Sequence[Recording], mocap: Path, folder: Path, kind: str) -> None:
    """What is not there yet."""
    folder.mkdir(exist_ok=True)
    if not (folder / "light.safetensors").exists():
        train_prior(TrainPrior(mocap, folder / "light", without=kind))
    if not (folder / "baselines.safetensors").exists():
        out = folder / "baselines.safetensors"
        train_baselines(recordings, out, folder / "vposer.csv", kind)


def _evaluate(
    body: BodyArrays, recordings: Sequence[Recording], folder: Path, kind: str
) -> dict[str, Scores]:
    """Prints one fold's table."""
    unseen = [r for r in recordings if r.split == "train" and r.kind == kind]
    write_split(unseen, folder / "unseen.npz", 30)
    poses = load_poses(folder / "unseen.npz", -(-MOST // len(unseen)))
    validation = load_poses(VALIDATION, 2)
    baselines = load_baselines(folder / "baselines.safetensors")
    priors = {"light": load_prior_arrays(folder / "light.safetensors"), **baselines}
    del priors["none"]
    people = len(np.unique(poses.performer))
    of = f"{len(poses.pose)} poses of {len(unseen)} clips, {people} performers"
    print(f"\n== without {kind}: {of}")
    results = {}
    for name, prior in priors.items():
        solver = Solver(prior, body, baselines["gaussian"])
        results[name] = score(solver, poses.pose, validation.pose, 0)
        print(f"  {name}: weights {weights_of(results[name])}", flush=True)
    for task in TASKS:
        print_task(task, results, poses)
    return results


if __name__ == "__main__":
    main()
