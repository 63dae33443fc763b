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
from kinflow.flows.prior import SHIPPED
from kinflow.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from kinflow.skeleton import JOINT_INDEX, METRIC_JOINTS

from .make_heldout import HELDOUT, TRAINING

# Ranges of motion in degrees (American Academy of Orthopaedic Surgeons), on the total rotation between the segments that
# a clinician measures: flexion for the hinges, the rotation's angle elsewhere. Hyperextension of 10 is normal.
HINGES = {"knee": (0, (-10, 150)), "elbow": (1, (-10, 150))}
CHAINS = {
    "trunk": (("spine1", "spine2", "spine3"), 80), "neck": (("neck", "head"), 60), "hip": (("hip",), 120),
    "shoulder": (("collar", "shoulder"), 150), "ankle": (("ankle",), 50), "wrist": (("wrist",), 80),
}  # fmt: skip


def violations(poses: torch.Tensor) -> float:
    """Share of joints beyond their range. poses (N, 23, 3, 3)."""
    bad = []
    for side in ("left_", "right_"):
        for short, (axis, (low, high)) in HINGES.items():
            vector = torch.rad2deg(matrix_to_axis_angle(poses[:, JOINT_INDEX[side + short] - 1]))
            # elbows bend about the vertical of the T-pose: the left one towards -y, the right one towards +y
            bend = vector[:, axis] * (1 if short == "knee" or side == "right_" else -1)
            bad.append((bend < low) | (bend > high))
        for names, limit in CHAINS.values():
            total = torch.eye(3).expand(len(poses), 3, 3)
            for name in names:
                total = total @ poses[:, JOINT_INDEX[name if name in JOINT_INDEX else side + name] - 1]
            bad.append(torch.rad2deg(matrix_to_axis_angle(total).norm(dim=-1)) > limit)
    return float(torch.stack(bad).float().mean())


def joints_of(poses: torch.Tensor) -> np.ndarray:
    body = load_body()
    return torch.cat([body(body_pose=p)[1] for p in poses.split(256)]).numpy()[:, list(METRIC_JOINTS)]


def nearest(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over a of the mean joint distance to the nearest of b, mm."""
    return 1e3 * float(np.mean([np.linalg.norm(b - x, axis=-1).mean(1).min() for x in a]))


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    held_out, training = (axis_angle_to_matrix(torch.from_numpy(np.load(path)["pose"])) for path in (HELDOUT, TRAINING))
    real = torch.cat((held_out, training))
    real_joints, base = joints_of(real), violations(training)
    print(f"joint-limit violations: {100 * violations(held_out):.2f}% of {len(held_out)} held-out captured poses, "
          f"{100 * base:.2f}% of {len(training)} captured training poses, by which 'x real' is measured")  # fmt: skip
    print(f"{'prior':>14} {'held-out nats':>22} {'over Gaussian':>22} {'violations':>11} {'x real':>7} {'to real mm':>10} {'spread mm':>9}")
    sheets = [held_out[np.random.default_rng(0).permutation(len(held_out))[:200]]]
    for name in SHIPPED:
        prior = load_prior(name)
        samples = prior.sample(4000, seed=0)
        joints = joints_of(samples[:1000])
        notes = prior.header.notes
        interval = lambda key: f"{notes[key + '_mean']:.1f} [{notes[key + '_low']:.1f}, {notes[key + '_high']:.1f}]"  # noqa: B023, E731
        rate = violations(samples)
        spread = 1e3 * np.linalg.norm(joints - joints.mean(0), axis=-1).mean()
        print(f"{name:>14} {interval('test_log_prob'):>22} {interval('test_gain'):>22} {100 * rate:>10.2f}% {rate / base:>7.2f} "
              f"{nearest(joints[:200], real_joints):>10.1f} {spread:>9.1f}")  # fmt: skip
        sheets.append(samples[:200])
    spread = 1e3 * np.linalg.norm(real_joints - real_joints.mean(0), axis=-1).mean()
    print(f"{'captured':>14} {'':>22} {'':>22} {100 * base:>10.2f}% {1.0:>7.2f} {'':>10} {spread:>9.1f}")
    if options.sheet:
        from PIL import Image

        from kinflow.drawing.figures import pose_sheet

        Image.fromarray(np.concatenate([pose_sheet(s[:200], 20, (110, 80)) for s in sheets], 1)).save(options.sheet)


if __name__ == "__main__":
    main()
