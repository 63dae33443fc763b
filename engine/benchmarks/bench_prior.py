"""build.py bench prior: what the shipped priors are worth on captured poses that they never saw.

Held-out log-likelihood against one Gaussian is what training measured and the checkpoint carries;
sample statistics are measured here, from the small held-out set, so that this runs anywhere.
--sheet OUT.png draws 200 samples of each prior beside 200 captured poses.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import torch

from kinflow import load_body, load_prior
from kinflow.core.joint_limits import violation_rate
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import METRIC_JOINTS
from kinflow.priors.prior import SHIPPED

from .make_heldout import HELDOUT, TRAINING


def joints_of(poses: torch.Tensor) -> np.ndarray:
    """Joints without the hands, m. (N, 23, 3, 3) -> (N, 22, 3)."""
    body = load_body()
    joints = torch.cat([body(body_pose=p)[1] for p in poses.split(256)])
    return joints.numpy()[:, list(METRIC_JOINTS)]


def nearest(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over a of the mean joint distance to the nearest of b, mm."""
    return 1e3 * float(np.mean([np.linalg.norm(b - x, axis=-1).mean(1).min() for x in a]))


def spread(joints: np.ndarray) -> float:
    """Mean distance of joints from their means, mm."""
    return 1e3 * float(np.linalg.norm(joints - joints.mean(0), axis=-1).mean())


def noted(notes: dict[str, float], key: str) -> str:
    """A number that training left in a checkpoint, with its interval."""
    return f"{notes[key + '_mean']:.1f} [{notes[key + '_low']:.1f}, {notes[key + '_high']:.1f}]"


def captured(path: Path) -> torch.Tensor:
    """Captured poses (N, 23, 3, 3)."""
    with np.load(path) as data:
        return axis_angle_to_matrix(xp, torch.from_numpy(data["pose"]))


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    held_out, training = captured(HELDOUT), captured(TRAINING)
    real, base = joints_of(torch.cat((held_out, training))), violation_rate(xp, held_out)
    print(
        f"joint-limit violations: {100 * base:.2f}% of {len(held_out)} held-out captured poses, by "
        f"which 'x real' is measured; {100 * violation_rate(xp, training):.2f}% of {len(training)} "
        "captured training poses"
    )
    print(
        f"{'prior':>14} {'held-out nats':>22} {'over Gaussian':>22} {'violations':>11} "
        f"{'x real':>7} {'to real mm':>10} {'spread mm':>9}"
    )
    sheets = [held_out[np.random.default_rng(0).permutation(len(held_out))[:200]]]
    for name in SHIPPED:
        prior = load_prior(name)
        samples = prior.sample(4000, seed=0)
        joints = joints_of(samples[:1000])
        nats, gain = (noted(prior.header.notes, k) for k in ("test_log_prob", "test_gain"))
        rate = violation_rate(xp, samples)
        print(
            f"{name:>14} {nats:>22} {gain:>22} {100 * rate:>10.2f}% {rate / base:>7.2f} "
            f"{nearest(joints[:200], real):>10.1f} {spread(joints):>9.1f}"
        )
        sheets.append(samples[:200])
    print(
        f"{'captured':>14} {'':>22} {'':>22} {100 * base:>10.2f}% {1.0:>7.2f} {'':>10} "
        f"{spread(real):>9.1f}"
    )
    if options.sheet:
        write_sheet(options.sheet, sheets)


def write_sheet(path: Path, sheets: list[torch.Tensor]) -> None:
    """Poses (N, 23, 3, 3) beside each other."""
    from PIL import Image

    from kinflow.drawing.figures import pose_sheet

    columns = [pose_sheet(poses[:200], 20, (110, 80)) for poses in sheets]
    Image.fromarray(np.concatenate(columns, 1)).save(path)


if __name__ == "__main__":
    main()
