"""People who share a floor before a camera that looks up or down: captured poses of a split, by
posture, with what is true of them. Numpy alone; `render_ground` makes pictures of it.

Hardly anybody sits in the captured clips: who sits here has the trunk and the arms of somebody who
stands, and legs that are bent.

World: metres, Y up, the floor at 0, as in `render_scenes`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from kinflow import Observation
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.contacts import contact_table, contacts
from kinflow.bodies.tables import body_table
from kinflow.core.arrays import numpy_backend
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton
from kinflow.core.points import pose_points
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from kinflow.core.skeleton import JOINT_INDEX
from kinflow.gravity import gravity_of, upright_rotation
from kinflow.records import Camera

from .render_scenes import SETS, Figure, Scene, View, poses

POSTURES = ("stand", "walk", "crouch", "sit", "jump")
PITCH, ROLL = (-30.0, 20.0), (-5.0, 5.0)
SIZES = ((640, 480), (480, 640))
KIND = 97  # of random numbers: other scenes have smaller ones
DEEP = 2.3  # m from the nearest to the furthest
JUMPS = (0.08, 0.45)  # m of clearance
_HOST = numpy_backend(np.float64)


@dataclass(frozen=True)
class Person:
    """Somebody on the floor, above it or on a box: the body in the world, and how."""

    figure: Figure
    posture: str
    clearance: float = 0.0


@dataclass(frozen=True)
class Ground(Scene):
    """A photo to be, of people on a floor. pitch and roll in degrees; people beside `figures`."""

    pitch: float = 0.0
    roll: float = 0.0
    people: tuple[Person, ...] = ()

    @property
    def camera_height(self) -> float:
        """m above the floor."""
        return float(self.view.place()[1])

    def truth(self, visibility: list[np.ndarray]) -> dict[str, Any]:
        """Of the camera and of what everybody does, too."""
        truth = super().truth(visibility)
        for person, more in zip(self.people, truth["people"], strict=True):
            more |= {"posture": person.posture, "clearance": person.clearance}
        numbers = {"pitch": self.pitch, "roll": self.roll, "camera_height": self.camera_height}
        return truth | numbers


@lru_cache(maxsize=3)
def postures(name: str) -> dict[str, np.ndarray]:
    """Rows of a split's `poses` by posture, from joints and soles."""
    body, data = default_body_arrays(), poses(name)
    axes = np.concatenate((data["root"][:, None], data["pose"]), 1).astype(float)
    rotations = axis_angle_to_matrix(xp, axes)
    skeleton = pose_skeleton(xp, body_table(body, _HOST), rotations, np.zeros((len(axes), 10)))
    points = pose_points(xp, contact_table(body, _HOST), skeleton).places
    low = points[..., 1].min(1)
    limb = np.array([c.limb for c in contacts(body)])
    feet = [points[:, limb == f"{side}_foot"] for side in ("left", "right")]
    soles = np.stack([f[..., 1].min(1) - low for f in feet], 1)
    # heel first, then the tip
    pointed = np.stack([f[:, 0, 1] - f[:, 1, 1] for f in feet], 1)
    apart = np.linalg.norm((feet[0] - feet[1]).mean(1)[:, [0, 2]], axis=-1)

    def joint(label: str) -> np.ndarray:
        return skeleton.place[:, JOINT_INDEX[label]]

    trunk = joint("neck") - joint("pelvis")
    lean = np.degrees(np.arccos(trunk[:, 1] / np.linalg.norm(trunk, axis=-1)))
    pelvis = joint("pelvis")[:, 1] - low
    flat, high, upright = (soles < 0.05).all(1), pelvis > 0.84, lean < 20
    chosen = {
        "stand": high & upright & flat & (apart < 0.4) & (pointed < 0.04).all(1),
        "walk": (pelvis > 0.75) & upright & (soles.min(1) < 0.02) & (apart > 0.4),
        "crouch": (pelvis > 0.2) & (pelvis < 0.72) & (soles < 0.08).all(1),
        "sit": high & upright & flat,
        "jump": upright & (pelvis > 0.6) & (pointed > 0.06).all(1),
    }
    return {n: np.flatnonzero(rows) for n, rows in chosen.items()}


def make_ground(name: str, number: int, count: int | None = None) -> Ground:
    """Scene `number` with poses of a split, of `count` people (by default 2 to 4); always the same
    one."""
    seed = (SETS.index(name), KIND + (count or 0), number)
    random = np.random.default_rng(seed)
    many = count or int(random.integers(2, 5))
    first = "jump" if number % 5 == 0 and many > 1 else "stand"
    kinds = [first, *random.choice(POSTURES[:4], many - 1, p=(0.4, 0.25, 0.15, 0.2))]
    pitch, roll = float(random.uniform(*PITCH)), float(random.uniform(*ROLL))
    while True:
        people = [_person(name, str(kind), random) for kind in kinds]
        for _ in range(100):
            placed = _placed(people, pitch, roll, SIZES[number % 2], random)
            if placed is not None:
                people, view = placed
                boxes = tuple(_box(p) for p in people if p.posture == "sit")
                figures = tuple(p.figure for p in people)
                camera = {"pitch": pitch, "roll": roll, "people": tuple(people)}
                return Ground("ground", seed, view, figures, boxes, **camera)


def _person(name: str, posture: str, random: np.random.Generator) -> Person:
    """At the origin, turned anyhow, the lowest point on the floor (or as high as they jump)."""
    data, rows = poses(name), postures(name)[posture]
    row = int(random.choice(rows))
    turn = axis_angle_to_matrix(xp, np.array([0.0, random.uniform(0, 2 * np.pi), 0.0]))
    root = turn @ axis_angle_to_matrix(xp, data["root"][row].astype(float))
    pose = data["pose"][row].astype(float)
    if posture == "sit":
        pose = _bent(pose, random)
    shape = 0.8 * random.normal(size=10)
    figure = Figure(matrix_to_axis_angle(xp, root), pose, shape, str(data["clip"][row]))
    vertices, joints, _ = figure.posed()
    clearance = float(random.uniform(*JUMPS)) if posture == "jump" else 0.0
    lift = np.array([-joints[0, 0], clearance - vertices[:, 1].min(), -joints[0, 2]])
    return Person(replace(figure, transl=lift), posture, clearance)


def _bent(pose: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Hips and knees at about a right angle, ankles at rest."""
    pose = pose.copy()
    for side, out in (("left", 1.0), ("right", -1.0)):
        hip, knee, ankle = (JOINT_INDEX[f"{side}_{n}"] - 1 for n in ("hip", "knee", "ankle"))
        flexion = np.radians(random.uniform(75, 95))
        pose[hip] = (-flexion, 0, out * np.radians(random.uniform(0, 12)))
        pose[knee] = (flexion + np.radians(random.uniform(-8, 8)), 0, 0)
        pose[ankle] = 0
    return pose


def _placed(
    people: list[Person],
    pitch: float,
    roll: float,
    size: tuple[int, int],
    random: np.random.Generator,
) -> tuple[list[Person], View] | None:
    """People spread over the floor before such a camera; None where it does not show them all."""
    width, height = size
    focal = random.uniform(0.75, 1.5) * max(size)
    camera = Camera(focal, focal, width / 2, height / 2, width, height)
    rotation = upright_rotation(gravity_of(pitch, roll)).T
    distance = random.uniform(2.2, 7.0)
    aimed = 0.9 - distance * np.tan(np.radians(pitch)) + random.uniform(-0.8, 0.8)
    tall = max(0.15, aimed)
    view = View(camera, rotation, -rotation @ np.array([0.0, tall, DEEP / 2 + distance]))
    half = distance * width / focal / 2
    spread = []
    for person in people:
        aside = random.uniform(-half, half)
        place = np.array([aside, 0.0, random.uniform(0, DEEP)])
        if any(np.linalg.norm(place - other) < 0.75 for other in spread):
            return None
        spread.append(place)
        moved = replace(person.figure, transl=person.figure.transl + place)
        seen = moved.seen_by(view).posed()[2]
        pixels = camera.project(seen)
        inside = (pixels > 0).all(-1) & (pixels < size).all(-1)
        extent = np.ptp(pixels[:, 1])
        if seen[:, 2].min() < 0.5 or not inside[np.isfinite(pixels).all(-1)].all():
            return None
        if extent < 0.25 * height or extent > 0.95 * height:
            return None
        people = [replace(p, figure=moved) if p is person else p for p in people]
    return people, view


def _box(person: Person) -> np.ndarray:
    """What somebody sits on: corners (8, 3) below the seat. World."""
    body = default_body_arrays()
    vertices, joints, _ = person.figure.posed()
    seat = [c.vertex for c in contacts(body) if c.limb == "seat"]
    top, middle = vertices[seat, 1].min(), joints[0]
    root = axis_angle_to_matrix(xp, person.figure.global_orient)
    ahead = root[[0, 2], 2] / np.linalg.norm(root[[0, 2], 2])
    across = np.array([ahead[1], -ahead[0]])
    corners = []
    for level in (0.0, top - 0.01):
        for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            x, z = middle[[0, 2]] + 0.22 * a * across + ahead * (0.2 * b - 0.02)
            corners.append((x, level, z))
    return np.array(corners)


def observations(
    ground: Ground, photo: int, noise_px: float, random: np.random.Generator
) -> list[Observation]:
    """What a good detector would see: BlazePose's keypoints with Gaussian noise, 6 % missing."""
    people = []
    for person in ground.people:
        keypoints = person.figure.seen_by(ground.view).posed()[2]
        pixels = ground.view.camera.project(keypoints)
        confidence = np.where(random.random(33) < 0.06, 0.0, random.uniform(0.6, 1.0, 33))
        noisy = pixels + noise_px * random.normal(size=(33, 2))
        camera = ground.view.camera
        people.append(Observation(noisy, confidence, "blazepose33", camera, photo=photo))
    return people
