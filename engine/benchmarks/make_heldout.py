"""python -m benchmarks.make_heldout MOCAP_FOLDER: writes data/heldout_poses.npz."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from kinflow.mocap.augment import thin
from kinflow.mocap.dataset import load_clips
from kinflow.mocap.splits import split_of
from kinflow.rotations_np import matrix_to_axis_angle

PER_CLIP = 40
HELDOUT = Path(__file__).parent / "data" / "heldout_poses.npz"


def main(mocap: Path) -> None:
    poses, roots, clip, names = [], [], [], []
    for item in load_clips(mocap / "cmu"):
        if split_of(item.name) != "test":
            continue
        kept = thin(item.body_pose, 4.0)
        kept = kept[np.linspace(0, len(kept) - 1, min(PER_CLIP, len(kept))).astype(int)]
        poses.append(matrix_to_axis_angle(item.body_pose[kept]).astype(np.float32))
        roots.append(matrix_to_axis_angle(item.global_orient[kept]).astype(np.float32))
        clip.append(np.full(len(kept), len(names), np.int16))
        names.append(item.name)
    np.savez_compressed(
        HELDOUT, pose=np.concatenate(poses), global_orient=np.concatenate(roots), clip=np.concatenate(clip), names=np.array(names)
    )
    print(f"{HELDOUT}: {sum(map(len, poses))} poses of {len(names)} clips")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
