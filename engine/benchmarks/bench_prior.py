"""build.py bench prior: what the shipped priors are worth on captured poses that they never saw.

Held-out log-likelihood against one Gaussian is what training measured and the checkpoint carries; sample statistics
are measured here, from the small held-out set, so that this runs anywhere. --sheet OUT.png draws 200 samples of each
prior beside 200 captured poses.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from kinflow import load_body, load_prior
from kinflow.priors.prior import SHIPPED
from kinflow.core.joint_limits import violation_rate
from kinflow.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import METRIC_JOINTS

from .make_heldout import HELDOUT, TRAINING


def joints_of(poses: torch.Tensor) -> np.ndarray:
    body = load_body()
    return torch.cat([body(body_pose=p)[1] for p in poses.split(256)]).numpy()[
        :, list(METRIC_JOINTS)
    ]


def nearest(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over a of the mean joint distance to the nearest of b, mm."""
    return 1e3 * float(np.mean([np.linalg.norm(b - x, axis=-1).mean(1).min() for x in a]))


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    held_out, training = (
        axis_angle_to_matrix(torch.from_numpy(np.load(path)["pose"]))
        for path in (HELDOUT, TRAINING)
    )
    real = torch.cat((held_out, training))
    real_joints, base = joints_of(real), violation_rate(held_out)
    print(
        f"joint-limit violations: {100 * base:.2f}% of {len(held_out)} held-out captured poses, by which 'x real' is measured; "
        f"{100 * violation_rate(training):.2f}% of {len(training)} captured training poses"
    )
    print(
        f"{'prior':>14} {'held-out nats':>22} {'over Gaussian':>22} {'violations':>11} {'x real':>7} {'to real mm':>10} {'spread mm':>9}"
    )
    sheets = [held_out[np.random.default_rng(0).permutation(len(held_out))[:200]]]
    for name in SHIPPED:
        prior = load_prior(name)
        samples = prior.sample(4000, seed=0)
        joints = joints_of(samples[:1000])
        notes = prior.header.notes
        interval = lambda key: (
            f"{notes[key + '_mean']:.1f} [{notes[key + '_low']:.1f}, {notes[key + '_high']:.1f}]"
        )  # noqa: B023, E731
        rate = violation_rate(samples)
        spread = 1e3 * np.linalg.norm(joints - joints.mean(0), axis=-1).mean()
        print(
            f"{name:>14} {interval('test_log_prob'):>22} {interval('test_gain'):>22} {100 * rate:>10.2f}% {rate / base:>7.2f} "
            f"{nearest(joints[:200], real_joints):>10.1f} {spread:>9.1f}"
        )
        sheets.append(samples[:200])
    spread = 1e3 * np.linalg.norm(real_joints - real_joints.mean(0), axis=-1).mean()
    print(
        f"{'captured':>14} {'':>22} {'':>22} {100 * base:>10.2f}% {1.0:>7.2f} {'':>10} {spread:>9.1f}"
    )
    if options.sheet:
        from PIL import Image

        from kinflow.drawing.figures import pose_sheet

        Image.fromarray(
            np.concatenate([pose_sheet(s[:200], 20, (110, 80)) for s in sheets], 1)
        ).save(options.sheet)


if __name__ == "__main__":
    main()
