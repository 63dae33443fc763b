"""python -m benchmarks.make_heldout MOCAP_FOLDER: captured poses of the three splits.

Writes heldout_poses.npz, validation_poses.npz and training_poses.npz in data/.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import matrix_to_axis_angle
from kinflow.mocap.augment import thin
from kinflow.mocap.dataset import load_clips
from kinflow.mocap.splits import family_of, split_of

PER_CLIP = 40
HELDOUT = Path(__file__).parent / "data" / "heldout_poses.npz"
VALIDATION = HELDOUT.with_name("validation_poses.npz")
TRAINING = HELDOUT.with_name("training_poses.npz")


def main(mocap: Path) -> None:
    write_split(mocap, "test", HELDOUT)
    write_split(mocap, "validation", VALIDATION)
    write_training_sample(mocap)


def write_split(mocap: Path, split: str, out: Path) -> None:
    """Captured poses of a split, thinned, at most PER_CLIP of each clip."""
    poses, roots, clip, names = [], [], [], []
    for item in load_clips(mocap / "cmu"):
        if split_of(item.name) != split:
            continue
        kept = thin(item.body_pose, 4.0)
        kept = kept[np.linspace(0, len(kept) - 1, min(PER_CLIP, len(kept))).astype(int)]
        poses.append(matrix_to_axis_angle(xp, item.body_pose[kept]).astype(np.float32))
        roots.append(matrix_to_axis_angle(xp, item.global_orient[kept]).astype(np.float32))
        clip.append(np.full(len(kept), len(names), np.int16))
        names.append(item.name)
    np.savez_compressed(
        out,
        pose=np.concatenate(poses),
        global_orient=np.concatenate(roots),
        clip=np.concatenate(clip),
        names=np.array(names),
    )
    print(f"{out}: {sum(map(len, poses))} poses of {len(names)} clips")


def write_training_sample(mocap: Path, count: int = 1500) -> None:
    """Captured training poses, balanced by motion as the training is, unmirrored and unmixed.

    What samples should be like.
    """
    clips = [c for c in load_clips(mocap / "cmu") if split_of(c.name) == "train"]
    thinned = [c.body_pose[thin(c.body_pose)] for c in clips]
    families = [family_of(c.name) for c, t in zip(clips, thinned, strict=True) for _ in t]
    _, inverse, counts = np.unique(families, return_inverse=True, return_counts=True)
    weights = (1 / np.sqrt(counts))[inverse]
    picks = np.random.default_rng(0).choice(len(weights), count, False, weights / weights.sum())
    pose = matrix_to_axis_angle(xp, np.concatenate(thinned)[picks])
    np.savez_compressed(TRAINING, pose=pose.astype(np.float32))
    print(f"{TRAINING}: {count} poses")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
