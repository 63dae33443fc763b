"""Captured motions that stand (`make_motions`), before a camera, as a detector would find them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kinflow import Camera, Observation
from kinflow.bodies.contacts import contact_names, contact_table
from kinflow.bodies.files import load_body_arrays
from kinflow.bodies.tables import body_table, keypoint_table
from kinflow.core.arrays import numpy_backend
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton
from kinflow.core.points import pose_points
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.gravity import gravity_of, upright_rotation

DATA = Path(__file__).parent / "data"

WIDTH, HEIGHT, FOCAL = 1280, 720, 1100.0
CAMERA = Camera(FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, WIDTH, HEIGHT)
LIMBS = ((7, 9), (8, 10), (13, 15), (14, 16))  # of COCO's: elbow and wrist, knee and ankle
MISSING, LASTING = 0.06, 0.8  # of keypoints; of an error, from frame to frame
NAMES = ("left_heel", "left_ball", "right_heel", "right_ball")


@dataclass(frozen=True)
class Motion:
    """A piece: its name and kind, Observations of T frames, and the truth in the camera's frame:
    joints (T, 24, 3) m, the soles' points (T, 8, 3) m, contact (T, 8) and the contacts (T, 4) of
    NAMES; which frames' contact steps count (T - 1, 8): they stand within 2 mm."""

    name: str
    kind: str
    people: list[Observation]
    joints: np.ndarray
    soles: np.ndarray
    contact: np.ndarray
    named: np.ndarray
    stands: np.ndarray
    gravity: np.ndarray
    floor: float


@dataclass(frozen=True)
class Seen:
    """How a detector errs: noise, in shares of the person's height, of which half the variance
    lasts from frame to frame."""

    noise: float = 0.008
    seed: int = 0


def load_motions(name: str, seen: Seen) -> list[Motion]:
    """The pieces of `heldout_motions.npz` or `validation_motions.npz`."""
    with np.load(DATA / name) as data:
        columns = {k: data[k] for k in data.files}
    motions = []
    for number, begin in enumerate(columns["first"][:-1]):
        rows = slice(begin, columns["first"][number + 1])
        piece = {
            k: columns[k][rows] for k in ("pose", "global_orient", "transl", "betas", "contact")
        }
        title = str(columns["names"][number]), str(columns["kinds"][number])
        random = np.random.default_rng((seen.seed, number))
        motions.append(_before_camera(title, piece, seen, random))
    return motions


def cut(motion: Motion, rows: slice) -> Motion:
    """Some successive frames."""
    steps = slice(rows.start, rows.stop - 1)
    frames = ("people", "joints", "soles", "contact", "named")
    parts = {name: getattr(motion, name)[rows] for name in frames}
    return replace(motion, stands=motion.stands[steps], **parts)


def _before_camera(
    title: tuple[str, str], piece: dict[str, np.ndarray], seen: Seen, random: np.random.Generator
) -> Motion:
    pitch, yaw = random.uniform(-14, -2), random.uniform(0, 2 * np.pi)
    gravity = gravity_of(pitch, random.normal(0, 1))
    turn = axis_angle_to_matrix(xp, np.array([[0.0, yaw, 0.0]]))[0]
    to_camera = upright_rotation(gravity).T @ turn
    body, backend = load_body_arrays(), numpy_backend(np.float64)
    rotations = axis_angle_to_matrix(
        xp, np.concatenate((piece["global_orient"][:, None], piece["pose"]), 1).astype(np.float64)
    )
    skeleton = pose_skeleton(xp, body_table(body, backend), rotations, piece["betas"].astype(float))
    way = piece["transl"][:, None].astype(np.float64)
    tables = (contact_table(body, backend), keypoint_table(body, "coco17", backend))
    places, keypoints = (pose_points(xp, t, skeleton).places + way for t in tables)
    joints = skeleton.place + way
    names = np.array(contact_names(body))
    soles = places[:, [n.endswith(("heel", "ball")) for n in names]]
    shift = _in_view(np.concatenate((joints, keypoints, soles), 1) @ to_camera.T)
    joints, keypoints, soles = (p @ to_camera.T + shift for p in (joints, keypoints, soles))
    sole_names = [n for n in names if n.endswith(("heel", "ball"))]
    contact = piece["contact"]
    named = [contact[:, [s == n for s in sole_names]].any(1) for n in NAMES]
    steps = np.linalg.norm(np.diff(soles, axis=0), axis=-1)
    stands = contact[1:] & contact[:-1] & (steps < 0.002)
    floor = float(shift @ gravity)
    people = _detected(keypoints, seen, random)
    return Motion(
        *title, people, joints, soles, contact, np.stack(named, 1), stands, gravity, floor
    )


def _in_view(points: np.ndarray) -> np.ndarray:
    """Where the body's world has to lie for all to be in the picture, in its middle. -> (3,) m."""
    middle = 0.5 * (points.min((0, 1)) + points.max((0, 1)))
    for away in np.arange(1.5, 30, 0.1):
        shift = np.array([-middle[0], -middle[1], away - points[..., 2].min()])
        pixels = CAMERA.project(points + shift)
        inside = (pixels > 0.04 * HEIGHT) & (pixels < np.array([WIDTH, HEIGHT]) - 0.04 * HEIGHT)
        if inside.all():
            return shift
    raise ValueError("The clip leaves the picture.")


def _detected(keypoints: np.ndarray, seen: Seen, random: np.random.Generator) -> list[Observation]:
    count = len(keypoints)
    pixels = CAMERA.project(keypoints)
    size = np.ptp(pixels[..., 1], axis=1)[:, None]
    white, lasting = random.normal(size=(2, count, 17, 2))
    for t in range(1, count):
        lasting[t] = LASTING * lasting[t - 1] + np.sqrt(1 - LASTING**2) * lasting[t]
    noisy = pixels + seen.noise * size[..., None] * np.sqrt(0.5) * (white + lasting)
    confidence = np.where(
        random.random((count, 17)) < MISSING, 0, random.uniform(0.6, 1, (count, 17))
    )
    for limb in LIMBS:
        if random.random() < 0.5:
            start = random.integers(0, max(1, count - 12))
            confidence[start : start + random.integers(4, 12), list(limb)] = 0
    sigma = seen.noise * size * np.exp(0.3 * random.normal(size=(count, 17)))
    rows = zip(noisy, confidence, sigma, strict=True)
    return [
        Observation(p, c, "coco17", CAMERA, sigma=s, photo=i) for i, (p, c, s) in enumerate(rows)
    ]
