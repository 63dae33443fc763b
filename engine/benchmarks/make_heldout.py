"""python -m benchmarks.make_heldout MOCAP_FOLDER: captured poses of the three splits.

Writes heldout_poses.npz, validation_poses.npz and training_poses.npz in data/: pose (N, 23, 3) and
global_orient (N, 3) axis-angle, clip and performer indices, and their names. The splits have no
performer in common.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import matrix_to_axis_angle
from kinflow.mocap.augment import thin
from kinflow.mocap.dataset import HAND_KEYED, Recording, load_recordings

PER_CLIP = {"test": 30, "validation": 30, "train": 16}
HELDOUT = Path(__file__).parent / "data" / "heldout_poses.npz"
VALIDATION = HELDOUT.with_name("validation_poses.npz")
TRAINING = HELDOUT.with_name("training_poses.npz")
TRAINING_POSES = 2400


def main(mocap: Path) -> None:
    recordings = [r for r in load_recordings(mocap) if r.kind != HAND_KEYED]
    for split, out in {"test": HELDOUT, "validation": VALIDATION, "train": TRAINING}.items():
        write_split([r for r in recordings if r.split == split], out, PER_CLIP[split])


def write_split(recordings: Sequence[Recording], out: Path, per_clip: int) -> None:
    """Captured poses, thinned, at most `per_clip` of each clip; of training poses a sample that is
    balanced over kinds as training is.
    """
    kept = []
    for recording in recordings:
        frames = thin(recording.clip.body_pose, 4.0)
        count = min(per_clip, len(frames))
        kept.append(frames[np.linspace(0, len(frames) - 1, count).astype(int)])
    clip = np.repeat(np.arange(len(recordings)), [len(k) for k in kept])
    performers = sorted({r.performer for r in recordings})
    owner = np.array([performers.index(r.performer) for r in recordings])
    columns = {
        "pose": np.concatenate(
            [r.clip.body_pose[k] for r, k in zip(recordings, kept, strict=True)]
        ),
        "global_orient": np.concatenate(
            [r.clip.global_orient[k] for r, k in zip(recordings, kept, strict=True)]
        ),
    }
    columns = {n: matrix_to_axis_angle(xp, v).astype(np.float32) for n, v in columns.items()}
    rows = np.arange(len(clip))
    if out == TRAINING:
        kinds = np.array([r.kind for r in recordings])[clip]
        _, inverse, counts = np.unique(kinds, return_inverse=True, return_counts=True)
        weights = (1 / np.sqrt(counts))[inverse]
        random = np.random.default_rng(0)
        rows = np.sort(random.choice(rows, TRAINING_POSES, False, weights / weights.sum()))
    np.savez_compressed(
        out,
        **{n: v[rows] for n, v in columns.items()},
        clip=clip[rows].astype(np.int16),
        performer=owner[clip][rows].astype(np.int8),
        names=np.array([r.clip.name for r in recordings]),
        performers=np.array(performers),
    )
    print(f"{out}: {len(rows)} poses of {len(recordings)} clips, {len(performers)} performers")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
