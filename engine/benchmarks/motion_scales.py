"""python -m benchmarks.motion_scales MOCAP_FOLDER: how smoothly captured people move, by joint.

Prints the likeliest scales of `core.terms.smoothness` on the training performers, at 30 frames a
second, for `fitting.sequence.captured`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from kinflow.core.skeleton import JOINT_NAMES
from kinflow.core.terms.smoothness import DIMENSION, FREEDOM
from kinflow.mocap.dataset import HAND_KEYED, load_recordings

from .make_motions import FPS, step_of

ROUNDS = 200


def main(mocap: Path) -> None:
    found: list[list[np.ndarray]] = [[] for _ in range(len(JOINT_NAMES) + 1)]
    for recording in load_recordings(mocap, ("train",)):
        clip = recording.clip
        if recording.kind == HAND_KEYED or len(clip) < 3:
            continue
        every = step_of(clip)
        turns = np.concatenate((clip.global_orient[::every, None], clip.body_pose[::every]), 1)
        columns = turns[..., :2].reshape((len(turns), len(JOINT_NAMES), -1))
        for joint in range(len(JOINT_NAMES)):
            found[joint].append((np.diff(columns[:, joint], 2, axis=0) ** 2).sum(-1))
        found[-1].append((np.diff(clip.transl[::every], 2, axis=0) ** 2).sum(-1))
    for name, parts in zip((*JOINT_NAMES, "place"), found, strict=True):
        squares = np.concatenate(parts)
        print(f"{name}: {likeliest(squares):.4f}, by the square {np.sqrt(squares.mean() / 3):.4f}")
    print(f"{FPS} frames a second, {len(np.concatenate(found[0]))} accelerations")


def likeliest(squares: np.ndarray) -> float:
    """Scale of Student's t, by expectation and maximisation."""
    scale = float(np.sqrt(np.median(squares) / DIMENSION)) + 1e-6
    for _ in range(ROUNDS):
        weight = (FREEDOM + DIMENSION) / (FREEDOM + squares / scale**2)
        scale = float(np.sqrt((weight * squares).mean() / DIMENSION)) + 1e-6
    return scale


if __name__ == "__main__":
    main(Path(sys.argv[1]))
