"""People without end: sampled poses, shapes and cameras, drawn as part maps on a square crop.

Needs no motion capture at hand, only the shipped priors; a caller may bring captured poses instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import array_api_compat.torch as xp
import cv2
import numpy as np
import torch
from torch import Tensor

from ..bodies.files import load_body
from ..bodies.keypoints import keypoint_regressor
from ..bodies.model import Body
from ..core.rotations import axis_angle_to_matrix
from ..drawing.zbuffer import part_map, rasterise
from ..perception.part_labels import CROP, crop_about
from ..priors.prior import load_prior
from ..records import Camera
from ..terminal import progress

PHOTO = 480
KEYPOINT_SET = "coco17"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Casting:
    """Who is drawn, and how the camera looks.

    betas: the shapes' deviation; tilt (mean, deviation) and roll in radians; focal lengths in px;
    the share of the photo that a person fills.
    """

    betas: float = 0.9
    tilt: tuple[float, float] = (0.0, 0.2)
    roll: float = 0.15
    focal: tuple[float, float] = (380.0, 1000.0)
    share: tuple[float, float] = (0.45, 0.95)


@dataclass(frozen=True)
class People:
    """N people, each on a photo of PHOTO x PHOTO px with its own focal length.

    parts (N, CROP, CROP) uint8 on the crop; keypoints (N, 17, 2) px of the photo; focal (N,) px;
    crop (N, 3): x, y of its corner and side, px; rotations (N, 24, 3, 3) with the root first,
    betas (N, 10), transl (N, 3) m.
    """

    parts: np.ndarray
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

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **vars(self))

    @staticmethod
    def load(path: Path) -> People:
        with np.load(path) as data:
            return People(**{name: data[name] for name in People.__dataclass_fields__})


def sample_poses(count: int, seed: int) -> Tensor:
    """Poses (N, 23, 3, 3) of the prior, a little bolder than they are."""
    return load_prior("light").sample(count, 1.1, seed)


@dataclass(frozen=True)
class Crowd:
    """People to draw: how many, by which seed and casting, in which poses (N, 23, 3, 3).

    Without poses they are sampled.
    """

    count: int
    seed: int = 0
    casting: Casting = field(default_factory=Casting)
    poses: Tensor | None = None


def drawn(path: Path, crowd: Crowd, report: Report) -> People:
    """People from a file, drawn first where it is not there."""
    if path.exists():
        return People.load(path)
    people = make_people(load_body(), crowd, report)
    people.save(path)
    return people


def make_people(body: Body, crowd: Crowd, report: Report | None = None) -> People:
    """Draws people."""
    casting, seed = crowd.casting, crowd.seed
    generator, random = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
    poses = sample_poses(crowd.count, seed) if crowd.poses is None else crowd.poses[: crowd.count]
    count = len(poses)
    poses = poses[torch.randperm(count, generator=generator)]
    root = random_roots(count, generator, casting)
    betas = casting.betas * torch.randn(count, 10, generator=generator)
    focal = random.uniform(*casting.focal, count)
    regressor = keypoint_regressor(body, KEYPOINT_SET)
    shots: list[list[np.ndarray]] = []
    with progress("Drawing people", count, "people") as show:
        for start in range(0, count, 64):
            show(start / count, "")
            rows = slice(start, start + 64)
            vertices, joints = body(root[rows], poses[rows], betas[rows])
            points = regressor(joints, vertices).double().numpy()
            meshes = vertices.double().numpy()
            shots += [
                photograph(body, mesh, p, f, casting, random)
                for mesh, p, f in zip(meshes, points, focal[rows], strict=True)
            ]
            if report and start % 1600 == 1536:
                report(f"{min(start + 64, count)} of {count} people drawn")
    parts, keypoints, crop, transl = (np.stack(column) for column in zip(*shots, strict=True))
    rotations = torch.cat((root[:, None], poses), 1).numpy()
    shape = betas.numpy()
    return People(parts, keypoints, focal.astype(np.float32), crop, rotations, shape, transl)


def photograph(
    body: Body,
    vertices: np.ndarray,
    keypoints: np.ndarray,
    focal: float,
    casting: Casting,
    random: np.random.Generator,
) -> list[np.ndarray]:
    """Somebody placed before the camera and drawn: parts, keypoints, crop, transl as in `People`.

    vertices (V, 3), keypoints (17, 3) m.
    """
    extent = np.ptp(vertices[:, :2], axis=0).max()
    depth = focal * extent / (PHOTO * random.uniform(*casting.share)) + 0.3
    middle = 0.5 * (vertices.min(0) + vertices.max(0))
    transl = np.array([*(random.uniform(-0.08, 0.08, 2) * depth), depth]) - middle
    camera = photo_camera(focal)
    image = camera.project(vertices + transl)
    corner, side = crop_about(image)
    parts = draw_parts(body, (image - corner) / side * CROP, vertices[:, 2] + transl[2])
    arrays = (camera.project(keypoints + transl), np.array([*corner, side]), transl)
    return [parts, *(a.astype(np.float32) for a in arrays)]


def photo_camera(focal: float) -> Camera:
    """The camera of a drawn photo. focal: px."""
    return Camera(float(focal), float(focal), PHOTO / 2, PHOTO / 2, PHOTO, PHOTO)


def draw_parts(body: Body, image: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Part labels of a body on a crop. Vertices (V, 2) px of the crop, (V,) m -> (CROP, CROP)."""
    faces, labels = body.faces.cpu().numpy(), body.parts.cpu().numpy()
    (ax, ay), (bx, by), (cx, cy) = (image[faces[:, k]].T for k in range(3))
    front = faces[(bx - ax) * (cy - ay) < (by - ay) * (cx - ax)]
    return part_map(rasterise(image, depth, front, CROP, CROP), front, labels)


def random_roots(count: int, generator: torch.Generator, casting: Casting) -> Tensor:
    """Standing about upright before the camera, turned any way. -> (N, 3, 3)."""
    yaw = 2 * torch.pi * torch.rand(count, generator=generator)
    tilt = casting.tilt[0] + casting.tilt[1] * torch.randn(count, generator=generator)
    roll = casting.roll * torch.randn(count, generator=generator)
    zero = torch.zeros_like(yaw)
    half = axis_angle_to_matrix(xp, torch.tensor([torch.pi, 0.0, 0.0]))
    turned = axis_angle_to_matrix(xp, torch.stack((zero, yaw, zero), -1))
    return axis_angle_to_matrix(xp, torch.stack((tilt, zero, roll), -1)) @ half @ turned


@dataclass(frozen=True)
class DetectorNoise:
    """What a detector does to keypoints and masks, measured on renders through the real one.

    keypoint: deviation in shares of the crop; missing, wrong: chances that a keypoint is not there
    or elsewhere; occluder: chance that something covers or joins the mask; border: px by which the
    mask's border moves.
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
    """One person's mask as a detector might give it, and the true parts on it.

    parts (CROP, CROP) -> mask (CROP, CROP) float32 from 0 to 1, parts, 0 where something else is.
    Clothing makes the mask larger (its pixels take the nearest part's label), smoothing rounds it,
    occluders cut pieces out, and things that are no body join it.
    """
    mask, labels = _grown(parts, random.normal(0.5, 0.8) * noise.border / 2)
    if random.random() < noise.occluder:
        mask, labels = _occluded(mask, labels, random)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), random.uniform(0.4, 1.1))
    strength = random.normal(0, 0.15)
    blobs = cv2.GaussianBlur(random.normal(size=(CROP, CROP)), (0, 0), 3) > 0.05
    soft = np.clip(soft + strength * blobs, 0, 1)
    return soft.astype(np.float32), np.where(mask, labels, 0).astype(np.uint8)


def _grown(parts: np.ndarray, by: float) -> tuple[np.ndarray, np.ndarray]:
    """Mask and labels, larger by some pixels, or smaller."""
    mask = parts > 0
    if by < -0.3:
        return cv2.erode(mask.astype(np.uint8), np.ones((2, 2), np.uint8)).astype(bool), parts
    if by <= 0.3:
        return mask, parts
    distance, nearest = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(nearest.max() + 1, np.uint8)
    table[nearest[mask]] = parts[mask]
    near = distance <= by
    return mask | near, np.where(near, table[nearest], 0).astype(np.uint8)


def _occluded(
    mask: np.ndarray, labels: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A box cut out of a mask, or an ellipse without labels added to it."""
    middle = random.uniform(0, CROP, 2)
    size = random.uniform(0.1, 0.45, 2) * CROP
    yy, xx = np.mgrid[:CROP, :CROP]
    x, y = (xx - middle[0]) / size[0], (yy - middle[1]) / size[1]
    if random.random() < 0.7:
        return mask & ~((np.abs(x) < 0.5) & (np.abs(y) < 0.5)), labels
    extra = x**2 + y**2 < 0.06
    return mask | extra, np.where(extra & ~mask, 0, labels).astype(np.uint8)
