"""People without end: sampled poses, shapes, turns and cameras, drawn as part maps on a square crop.

Needs no motion capture at hand, only the shipped priors; a caller may bring captured poses instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..bodies.keypoints import keypoint_regressor
from ..bodies.model import Body
from ..drawing.shading import vertex_normals
from ..drawing.zbuffer import Raster, part_map, rasterise
from ..priors.prior import load_prior
from ..rotations import axis_angle_to_matrix

CROP = 64
PHOTO = 480
CROP_MARGIN = 1.15
KEYPOINT_SET = "coco17"


@dataclass(frozen=True)
class Casting:
    """Who is drawn, and how the camera looks: shapes' deviation; tilt (mean, deviation) and roll in radians; focal lengths in
    px; the share of the photo that a person fills."""

    betas: float = 0.9
    tilt: tuple[float, float] = (0.0, 0.2)
    roll: float = 0.15
    focal: tuple[float, float] = (380.0, 1000.0)
    share: tuple[float, float] = (0.45, 0.95)


@dataclass(frozen=True)
class People:
    """N people, each on a photo of PHOTO x PHOTO px with its own focal length.

    parts (N, CROP, CROP) uint8 on the crop; shade (N, CROP, CROP) uint8, how light falls there; keypoints (N, 17, 2) px of the photo; focal (N,) px; crop (N, 3): x, y of its
    corner and side, px; rotations (N, 24, 3, 3) with the root first, betas (N, 10), transl (N, 3) m.
    """

    parts: np.ndarray
    shade: np.ndarray
    keypoints: np.ndarray
    focal: np.ndarray
    crop: np.ndarray
    rotations: np.ndarray
    betas: np.ndarray
    transl: np.ndarray

    def __len__(self) -> int:
        return len(self.parts)

    def crop_keypoints(self) -> np.ndarray:
        """Keypoints in crop pixels (N, 17, 2)."""
        return (self.keypoints - self.crop[:, None, :2]) / self.crop[:, None, 2:] * CROP

    def pick(self, rows: np.ndarray) -> People:
        return People(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def save(self, path) -> None:
        np.savez_compressed(
            path, **{name: getattr(self, name) for name in self.__dataclass_fields__}
        )

    @staticmethod
    def load(path) -> People:
        with np.load(path) as data:
            return People(**{name: data[name] for name in People.__dataclass_fields__})


def sample_poses(count: int, seed: int) -> Tensor:
    """Poses (N, 23, 3, 3), half of each of two priors, a little bolder than they are."""
    half = count // 2
    return torch.cat(
        (
            load_prior("light").sample(half, 1.1, seed),
            load_prior("realnvp").sample(count - half, 1.1, seed + 1),
        )
    )


def make_people(
    body: Body,
    count: int,
    seed: int = 0,
    poses: Tensor | None = None,
    progress: Callable[[int], None] | None = None,
    casting: Casting | None = None,
) -> People:
    """Draws `count` people. poses (N, 23, 3, 3) instead of sampled ones."""
    casting = casting or Casting()
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    poses = sample_poses(count, seed) if poses is None else poses[:count]
    count = len(poses)
    poses = poses[torch.randperm(count, generator=generator)]
    root = random_roots(count, generator, casting)
    betas = casting.betas * torch.randn(count, 10, generator=generator)
    focal = random.uniform(*casting.focal, count)
    regressor = keypoint_regressor(body, KEYPOINT_SET)
    faces, labels = body.faces.numpy(), body.parts.numpy()
    parts, shades, keypoints, crops, places = [], [], [], [], []
    for start in range(0, count, 64):
        rows = slice(start, start + 64)
        vertices, joints = body(root[rows], poses[rows], betas[rows])
        points = regressor(joints, vertices).double().numpy()
        for i, (v, p) in enumerate(zip(vertices.double().numpy(), points, strict=True)):
            f = focal[start + i]
            extent = np.ptp(v[:, :2], axis=0).max()
            depth = f * extent / (PHOTO * random.uniform(*casting.share)) + 0.3
            middle = 0.5 * (v.min(0) + v.max(0))
            shift = np.array([*(random.uniform(-0.08, 0.08, 2) * depth), depth]) - middle
            project = lambda x, f=f, shift=shift: (
                (x + shift)[:, :2] / (x + shift)[:, 2:] * f + PHOTO / 2
            )  # noqa: E731
            image = project(v)
            corner, side = crop_about(image)
            local = (image - corner) / side * CROP
            a, b, c = (local[faces[:, k]] for k in range(3))
            front = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (b[:, 1] - a[:, 1]) * (
                c[:, 0] - a[:, 0]
            )
            raster = rasterise(local, (v + shift)[:, 2], faces[front], CROP, CROP)
            parts.append(part_map(raster, faces[front], labels))
            shades.append(shade(raster, faces[front], vertex_normals(v, faces), random))
            keypoints.append(project(p))
            crops.append([*corner, side])
            places.append(shift)
        if progress is not None:
            progress(min(start + 64, count))
    as32 = lambda x: np.asarray(x, np.float32)  # noqa: E731
    rotations = torch.cat((root[:, None], poses), 1).numpy()
    return People(
        np.stack(parts),
        np.stack(shades),
        as32(keypoints),
        as32(focal),
        as32(crops),
        as32(rotations),
        betas.numpy(),
        as32(places),
    )


def shade(
    raster: Raster, faces: np.ndarray, normals: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Light of one lamp somewhere before the body, and of the sky. normals (V, 3) -> (H, W) uint8, 0 where nobody is."""
    lamp = np.array([random.uniform(-1, 1), random.uniform(-1, 0.2), random.uniform(-1, -0.2)])
    corner = np.take_along_axis(faces[raster.face], raster.weights.argmax(-1)[..., None], -1)[
        ..., 0
    ]
    falls = np.clip(normals[corner] @ (lamp / np.linalg.norm(lamp)), 0, 1)
    ambient = random.uniform(0.25, 0.5)
    return np.where(raster.mask, 255 * (ambient + (1 - ambient) * falls), 0).astype(np.uint8)


def random_roots(count: int, generator: torch.Generator, casting: Casting) -> Tensor:
    """Standing about upright before the camera, turned any way. -> (N, 3, 3)."""
    yaw = 2 * torch.pi * torch.rand(count, generator=generator)
    tilt = casting.tilt[0] + casting.tilt[1] * torch.randn(count, generator=generator)
    roll = casting.roll * torch.randn(count, generator=generator)
    zero = torch.zeros_like(yaw)
    half = axis_angle_to_matrix(torch.tensor([torch.pi, 0.0, 0.0]))
    turned = axis_angle_to_matrix(torch.stack((zero, yaw, zero), -1))
    return axis_angle_to_matrix(torch.stack((tilt, zero, roll), -1)) @ half @ turned


def crop_about(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Square about points (N, 2) px with a margin: its corner and side."""
    low, high = points.min(0), points.max(0)
    side = CROP_MARGIN * float((high - low).max())
    return 0.5 * (low + high) - side / 2, side


@dataclass(frozen=True)
class DetectorNoise:
    """What a detector does to keypoints and masks, as measured on renders through the real one (bench photos).

    keypoint: deviation in shares of the crop; missing: chance that a keypoint is not seen; spill and holes: chances.
    """

    keypoint: float = 0.012
    missing: float = 0.08
    wrong: float = 0.01
    occluder: float = 0.35
    border: float = 2.0


def corrupt_keypoints(
    points: np.ndarray, noise: DetectorNoise, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints in crop pixels (N, 17, 2) -> noisy ones and their confidence (N, 17)."""
    confidence = random.uniform(0.5, 1.0, points.shape[:2])
    spread = noise.keypoint * CROP * random.gamma(2.0, 0.5, (*points.shape[:2], 1))
    noisy = points + spread * random.normal(size=points.shape)
    wrong = random.random(points.shape[:2]) < noise.wrong
    noisy = noisy + wrong[..., None] * CROP * random.normal(0, 0.1, noisy.shape)
    # limbs go missing as wholes as often as single points
    gone = random.random(points.shape[:2]) < noise.missing
    for limb in ((5, 7, 9), (6, 8, 10), (11, 13, 15), (12, 14, 16), (13, 14, 15, 16)):
        gone[np.ix_(random.random(len(points)) < 0.04, np.array(limb))] = True
    confidence[gone | (noisy < 0).any(-1) | (noisy > CROP).any(-1)] = 0
    return noisy.astype(np.float32), confidence.astype(np.float32)


def corrupt_mask(
    parts: np.ndarray, noise: DetectorNoise, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One person's mask as a detector might give it, and the true parts on it, 0 where something else is.

    parts (CROP, CROP) -> mask float32 (CROP, CROP), parts. Clothing makes the mask larger (its pixels take the nearest
    part's label), smoothing rounds it, occluders cut pieces out, and things that are no body join it.
    """
    import cv2

    mask = parts > 0
    grow = random.normal(0.5, 0.8) * noise.border / 2
    labels = parts.copy()
    if grow > 0.3:
        distance, nearest = cv2.distanceTransformWithLabels(
            (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        table = np.zeros(nearest.max() + 1, np.uint8)
        table[nearest[mask]] = parts[mask]
        near = distance <= grow
        labels = np.where(near, table[nearest], 0).astype(np.uint8)
        mask = mask | near
    elif grow < -0.3:
        mask = cv2.erode(mask.astype(np.uint8), np.ones((2, 2), np.uint8)).astype(bool)
    if random.random() < noise.occluder:
        low = random.uniform(0, CROP, 2)
        size = random.uniform(0.1, 0.45, 2) * CROP
        yy, xx = np.mgrid[:CROP, :CROP]
        box = (np.abs(xx - low[0]) < size[0] / 2) & (np.abs(yy - low[1]) < size[1] / 2)
        if random.random() < 0.7:
            mask = mask & ~box
        else:
            extra = ((xx - low[0]) / size[0]) ** 2 + ((yy - low[1]) / size[1]) ** 2 < 0.06
            labels = np.where(extra & ~mask, 0, labels).astype(np.uint8)
            mask = mask | extra
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), random.uniform(0.4, 1.1))
    soft = np.clip(
        soft
        + random.normal(0, 0.15)
        * (cv2.GaussianBlur(random.normal(size=(CROP, CROP)), (0, 0), 3) > 0.05),
        0,
        1,
    )
    return soft.astype(np.float32), np.where(mask, labels, 0).astype(np.uint8)


def heatmaps(points: np.ndarray, confidence: np.ndarray, deviation: float = 1.5) -> np.ndarray:
    """Gaussian bumps at keypoints, as high as they are sure. (N, K, 2), (N, K) -> (N, K, CROP, CROP) float32."""
    grid = np.arange(CROP, dtype=np.float32) + 0.5
    x = np.exp(-0.5 * ((grid - points[..., :1]) / deviation) ** 2)
    y = np.exp(-0.5 * ((grid - points[..., 1:]) / deviation) ** 2)
    return (confidence[..., None, None] * y[..., :, None] * x[..., None, :]).astype(np.float32)
