"""python -m benchmarks.make_clips MOCAP_FOLDER: data/heldout_clips.npz, validation_clips.npz."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import matrix_to_axis_angle
from kinflow.mocap.clip import Clip
from kinflow.mocap.dataset import Recording, load_recordings

DATA = Path(__file__).parent / "data"
FRAMES, FPS = 60, 30
CLIPS = {"test": ("heldout_clips.npz", 12), "validation": ("validation_clips.npz", 5)}


def main(mocap: Path) -> None:
    recordings = load_recordings(mocap, tuple(CLIPS))
    for split, (name, most) in CLIPS.items():
        chosen = choose([r for r in recordings if r.split == split], most)
        rows = [busiest(clip) for clip in chosen]
        pose, root, transl = (
            np.stack([getattr(c, field)[r] for c, r in zip(chosen, rows, strict=True)])
            for field in ("body_pose", "global_orient", "transl")
        )
        np.savez_compressed(
            DATA / name,
            names=np.array([clip.name for clip in chosen]),
            pose=matrix_to_axis_angle(xp, pose).astype(np.float32),
            global_orient=matrix_to_axis_angle(xp, root).astype(np.float32),
            transl=transl.astype(np.float32),
        )
        names = ", ".join(clip.name for clip in chosen)
        print(f"{name}: {len(chosen)} clips of {FRAMES} frames: {names}")


def choose(recordings: list[Recording], most: int) -> list[Clip]:
    """The first clips that are long enough, two of each kind of motion at most."""
    chosen: list[Clip] = []
    kinds: Counter[str] = Counter()
    for recording in recordings:
        clip = recording.clip
        if len(clip) >= FRAMES * step_of(clip) and kinds[recording.kind] < 2:
            kinds[recording.kind] += 1
            chosen.append(clip)
    return chosen[:most]


def step_of(clip: Clip) -> int:
    """Every how many frames FPS is nearly reached."""
    return max(1, round(clip.fps / FPS))


def busiest(clip: Clip) -> slice:
    """Frames of the two seconds in which most is going on."""
    every = step_of(clip)
    change = np.abs(np.diff(clip.body_pose[::every], axis=0)).sum((1, 2, 3))
    way = np.concatenate(([0], change.cumsum()))
    spans = way[FRAMES - 1 :] - way[: len(way) - FRAMES + 1]
    first = int(spans.argmax()) if len(way) > FRAMES else 0
    return slice(first * every, (first + FRAMES) * every, every)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
