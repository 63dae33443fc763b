"""A folder of clips -> training poses, validation and test poses."""

from __future__ import annotations

from dataclasses import dataclass
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
        raise AssetError(
            f"No BVH clips in {folder}.", "Give the folder that holds the .bvh or .bvh.gz files."
        )
    clips = [read_bvh(path) for path in paths]
    return [
        Clip(c.name, c.fps, c.global_orient, share_shoulder_motion(c.body_pose), c.transl)
        for c in clips
    ]


def real_poses(clips: list[Clip], split: str, every: int = 3) -> RealPoses:
    """Unaugmented poses of a split, each `every`-th frame; hands at rest."""
    chosen = [clip for clip in clips if split_of(clip.name) == split]
    return RealPoses(
        np.concatenate([c.body_pose[::every] for c in chosen]).astype(np.float32),
        np.concatenate([c.global_orient[::every] for c in chosen]).astype(np.float32),
        np.concatenate([np.full(len(c.body_pose[::every]), i) for i, c in enumerate(chosen)]),
        tuple(c.name for c in chosen),
    )


def training_pool(
    clips: list[Clip], upper_clips: list[Clip], seed: int = 0, mixed_share: float = 0.2
) -> PosePool:
    """Thinned, balanced, mirrored training poses; mixed bodies have `mixed_share` of the weight.

    Balance: a motion family weighs as the square root of its thinned frames, so climbing and
    walking do not drown the rest.
    """
    generator = np.random.default_rng(seed)
    train = [clip for clip in clips if split_of(clip.name) == "train"]
    poses, families, ups = [], [], []
    for clip in train:
        kept = thin(clip.body_pose)
        poses.append(clip.body_pose[kept])
        ups.append(clip.global_orient[kept][:, 1])
        families += [family_of(clip.name)] * len(kept)
    real, up = np.concatenate(poses), np.concatenate(ups)
    _, inverse, counts = np.unique(families, return_inverse=True, return_counts=True)
    weights = (np.sqrt(counts) / counts)[inverse]

    upper = [real, *(c.body_pose[thin(c.body_pose)] for c in upper_clips)]
    upper_up = [up, *(c.global_orient[thin(c.body_pose)][:, 1] for c in upper_clips)]
    extra = len(upper[0])
    favour = np.concatenate(
        (np.arange(extra), np.repeat(np.arange(extra, sum(map(len, upper))), 6))
    )
    all_upper, all_up = np.concatenate(upper)[favour], np.concatenate(upper_up)[favour]
    mixed = mix_bodies(all_upper, all_up, real, up, generator, len(real))
    weights = np.concatenate(
        ((1 - mixed_share) * weights / weights.sum(), np.full(len(mixed), mixed_share / len(mixed)))
    )
    both = with_mirrors(np.concatenate((real, mixed)))
    weights = np.concatenate((weights, weights))
    return PosePool(
        hand_noise(both, generator).astype(np.float32), (weights / weights.sum()).astype(np.float64)
    )
