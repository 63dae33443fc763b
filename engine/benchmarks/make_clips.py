"""python -m benchmarks.make_clips MOCAP_FOLDER: writes data/heldout_clips.npz and data/validation_clips.npz."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from kinflow.mocap.dataset import load_clips
from kinflow.mocap.splits import family_of, split_of
from kinflow.rotations_np import matrix_to_axis_angle

DATA = Path(__file__).parent / "data"
FRAMES, FPS = 60, 30
CLIPS = {"test": ("heldout_clips.npz", 12), "validation": ("validation_clips.npz", 5)}


def main(mocap: Path) -> None:
    clips = load_clips(mocap / "cmu")
    for split, (name, most) in CLIPS.items():
        poses, roots, places, names, families = [], [], [], [], Counter()
        for clip in sorted(clips, key=lambda c: c.name):
            every = max(1, round(clip.fps / FPS))
            if (
                split_of(clip.name) != split
                or families[family_of(clip.name)] == 2
                or len(clip) < FRAMES * every
                or len(names) == most
            ):
                continue
            families[family_of(clip.name)] += 1
            # the two seconds in which most is going on
            speed = np.concatenate(
                ([0], np.abs(np.diff(clip.body_pose[::every], axis=0)).sum((1, 2, 3)).cumsum())
            )
            first = (
                int((speed[FRAMES - 1 :] - speed[: len(speed) - FRAMES + 1]).argmax())
                if len(speed) > FRAMES
                else 0
            )
            rows = slice(first * every, (first + FRAMES) * every, every)
            poses.append(matrix_to_axis_angle(clip.body_pose[rows]))
            roots.append(matrix_to_axis_angle(clip.global_orient[rows]))
            places.append(clip.transl[rows])
            names.append(clip.name)
        arrays = {"pose": poses, "global_orient": roots, "transl": places}
        np.savez_compressed(
            DATA / name,
            names=np.array(names),
            **{k: np.stack(v).astype(np.float32) for k, v in arrays.items()},
        )
        print(f"{name}: {len(names)} clips of {FRAMES} frames: {', '.join(names)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
