"""A folder of clips with its table (clips.csv) -> recordings, split by performer."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import AssetError
from .augment import hand_noise, thin, with_mirrors
from .bvh import read_bvh
from .clip import Clip
from .shoulders import share_shoulder_motion

SPLITS = ("train", "validation", "test")
HAND_KEYED = "hand keyed"
HAND_KEYED_WEIGHT = 0.3  # smooth and symmetric: no captured motion


@dataclass(frozen=True)
class Recording:
    """A clip, who performed it, what kind of motion it is, and its split."""

    clip: Clip
    performer: str
    split: str
    kind: str


@dataclass(frozen=True)
class PosePool:
    """Poses (N, 23, 3, 3) float32, the world's up direction in their pelvis' frames (N, 3), and
    sampling weights (N,) that sum to 1.
    """

    poses: np.ndarray
    up: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class CapturedPoses:
    """Captured poses of one split; hands at rest.

    poses (N, 23, 3, 3), global_orient (N, 3, 3), clip index (N,), performer index (N,), names of
    both, kind of each clip.
    """

    poses: np.ndarray
    global_orient: np.ndarray
    clip: np.ndarray
    performer: np.ndarray
    names: tuple[str, ...]
    performers: tuple[str, ...]
    kinds: tuple[str, ...]


def load_recordings(folder: str | Path, splits: Sequence[str] = SPLITS) -> list[Recording]:
    """The clips of `clips.csv` (clip, performer, split, kind), with the shoulders' motion shared.

    Raises AssetError where the table or a clip is missing or damaged.
    """
    folder = Path(folder)
    try:
        with open(folder / "clips.csv", newline="", encoding="utf-8") as stream:
            lines = [line for line in csv.DictReader(stream) if line["split"] in splits]
        named = [(r["clip"], r["performer"], r["split"], r["kind"]) for r in lines]
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise AssetError(
            f"{folder / 'clips.csv'} cannot be read ({error}).",
            "Give the folder that holds clips.csv and the clips that it lists.",
        ) from error
    if not named:
        raise AssetError(f"{folder / 'clips.csv'} lists no clip.", "Give another folder.")
    recordings = []
    for name, performer, split, kind in named:
        clip = read_bvh(folder / f"{name}.bvh.gz")
        shared = replace(clip, name=name, body_pose=share_shoulder_motion(clip.body_pose))
        recordings.append(Recording(shared, performer, split, kind))
    return recordings


def captured_poses(
    recordings: Sequence[Recording], split: str, every: int = 3, most: int = 10**9
) -> CapturedPoses:
    """Unaugmented poses of a split: each `every`-th frame, at most so many of a clip."""
    chosen = [r for r in recordings if r.split == split]
    frames = []
    for recording in chosen:
        count = min(most, -(-len(recording.clip) // every))
        frames.append(np.linspace(0, len(recording.clip) - 1, count).astype(int))
    performers = tuple(sorted({r.performer for r in chosen}))
    sizes = [len(f) for f in frames]
    return CapturedPoses(
        _joined([r.clip.body_pose[f] for r, f in zip(chosen, frames, strict=True)]),
        _joined([r.clip.global_orient[f] for r, f in zip(chosen, frames, strict=True)]),
        np.repeat(np.arange(len(chosen)), sizes),
        np.repeat([performers.index(r.performer) for r in chosen], sizes),
        tuple(r.clip.name for r in chosen),
        performers,
        tuple(r.kind for r in chosen),
    )


def training_pool(
    recordings: Sequence[Recording], seed: int = 0, without: str | None = None
) -> PosePool:
    """Thinned, mirrored training poses, balanced over kinds of motion; `without`: a kind left out.

    A kind weighs as the square root of its thinned frames, so that pantomime and walking do not
    drown the rest; hand-keyed clips weigh HAND_KEYED_WEIGHT of that.
    """
    poses, ups, kinds = [], [], []
    for recording in recordings:
        if recording.split == "train" and recording.kind != without:
            kept = thin(recording.clip.body_pose)
            poses.append(recording.clip.body_pose[kept])
            ups.append(recording.clip.global_orient[kept][:, 1])
            kinds += [recording.kind] * len(kept)
    names, inverse, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    share = np.where(names == HAND_KEYED, HAND_KEYED_WEIGHT, 1.0) / np.sqrt(counts)
    weights = np.tile(share[inverse], 2)
    both = hand_noise(with_mirrors(_joined(poses)), np.random.default_rng(seed))
    up = _joined(ups)
    return PosePool(both, np.concatenate((up, up * [-1, 1, 1])), weights / weights.sum())


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts).astype(np.float32)
