"""A folder of clips -> training poses, validation and test poses."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import AssetError
from .augment import hand_noise, mix_bodies, thin, with_mirrors
from .bvh import read_bvh
from .clip import Clip
from .shoulders import share_shoulder_motion
from .splits import family_of, split_of


@dataclass(frozen=True)
class PosePool:
    """Poses (N, 23, 3, 3) float32 with sampling weights (N,) that sum to 1."""

    poses: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class RealPoses:
    """Captured poses of one split.

    poses (N, 23, 3, 3), global_orient (N, 3, 3), clip index (N,), clip names.
    """

    poses: np.ndarray
    global_orient: np.ndarray
    clip: np.ndarray
    names: tuple[str, ...]


def load_clips(folder: str | Path) -> list[Clip]:
    """Every BVH below a folder, in name order, with the shoulders' motion shared."""
    paths = sorted(p for pattern in ("*.bvh", "*.bvh.gz") for p in Path(folder).glob(pattern))
    if not paths:
        hint = "Give the folder that holds the .bvh or .bvh.gz files."
        raise AssetError(f"No BVH clips in {folder}.", hint)
    clips = (read_bvh(path) for path in paths)
    return [replace(c, body_pose=share_shoulder_motion(c.body_pose)) for c in clips]


def real_poses(clips: list[Clip], split: str, every: int = 3) -> RealPoses:
    """Unaugmented poses of a split, each `every`-th frame; hands at rest."""
    chosen = [clip for clip in clips if split_of(clip.name) == split]
    poses = [c.body_pose[::every].astype(np.float32) for c in chosen]
    roots = np.concatenate([c.global_orient[::every] for c in chosen]).astype(np.float32)
    number = np.repeat(np.arange(len(chosen)), [len(p) for p in poses])
    return RealPoses(np.concatenate(poses), roots, number, tuple(c.name for c in chosen))


def training_pool(
    clips: list[Clip], upper_clips: list[Clip], seed: int = 0, mixed_share: float = 0.2
) -> PosePool:
    """Thinned, balanced, mirrored training poses; mixed bodies have `mixed_share` of the weight.

    Balance: a motion family weighs as the square root of its thinned frames, so climbing and
    walking do not drown the rest.
    """
    generator = np.random.default_rng(seed)
    train = [clip for clip in clips if split_of(clip.name) == "train"]
    kept = [_thinned(clip) for clip in train]
    real, up = (np.concatenate(column) for column in zip(*kept, strict=True))
    families = np.repeat([family_of(c.name) for c in train], [len(poses) for poses, _ in kept])
    _, inverse, counts = np.unique(families, return_inverse=True, return_counts=True)
    weights = (np.sqrt(counts) / counts)[inverse]

    # upper-body clips are few: six times each
    extra = [_thinned(clip) for clip in upper_clips]
    upper, upper_up = (
        np.concatenate((a, *(np.repeat(b, 6, axis=0) for b in more)))
        for a, *more in zip((real, up), *extra, strict=True)
    )
    mixed = mix_bodies(upper, upper_up, real, up, generator, len(real))
    rest = np.full(len(mixed), mixed_share / len(mixed))
    weights = np.tile(np.concatenate(((1 - mixed_share) * weights / weights.sum(), rest)), 2)
    poses = hand_noise(with_mirrors(np.concatenate((real, mixed))), generator)
    return PosePool(poses.astype(np.float32), weights / weights.sum())


def _thinned(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Poses (N, 23, 3, 3) of a thinned clip, and the world's up in their pelvis frames (N, 3)."""
    kept = thin(clip.body_pose)
    return clip.body_pose[kept], clip.global_orient[kept][:, 1]
