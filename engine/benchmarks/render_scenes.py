"""What renders show: captured poses on a floor before a camera, whole, cut by the photo's rim,
behind things, or in a crowd. Numpy alone; `render_people` makes pictures of it.

World: metres, Y up, the main person at the origin, the floor at 0. A camera maps a point w of the
world to R w + t of its own frame (OpenCV axes).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.tables import body_table, keypoint_table, skin_table
from kinflow.core.arrays import numpy_backend
from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.body import pose_skeleton, skin
from kinflow.core.points import pose_points
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from kinflow.records import Camera

DATA = Path(__file__).parent / "data"
SETS = ("training", "validation", "heldout")
KINDS = ("whole", "cut", "occluded", "crowd")
OUT, HIDDEN, SHOWN = 0, 1, 2  # of a keypoint: beyond the rim, behind something, or neither
SIZES = ((432, 576), (576, 432), (512, 512))
# share of the person's height that the photo's lower rim leaves: busts, to the waist, no feet
CUTS = ((0.3, 0.4), (0.42, 0.6), (0.65, 0.85))
FLIP = np.diag([1.0, -1.0, -1.0])
_HOST = numpy_backend(np.float64)


@dataclass(frozen=True)
class Figure:
    """One body in the world: SMPL's parameters, and where they come from."""

    global_orient: np.ndarray
    body_pose: np.ndarray
    betas: np.ndarray
    clip: str
    transl: np.ndarray = field(default_factory=lambda: np.zeros(3))

    def posed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vertices (V, 3), joints (24, 3) and BlazePose's keypoints (33, 3), m."""
        body = default_body_arrays()
        axes = np.concatenate((self.global_orient[None], self.body_pose))
        rotations = axis_angle_to_matrix(xp, axes)[None]
        skeleton = pose_skeleton(xp, body_table(body, _HOST), rotations, self.betas[None])
        table = keypoint_table(body, "blazepose33", _HOST)
        places = (
            skin(xp, skin_table(body, _HOST), skeleton)[0],
            skeleton.place[0],
            pose_points(xp, table, skeleton).places[0],
        )
        return tuple(place + self.transl for place in places)  # type: ignore[return-value]

    def seen_by(self, view: View) -> Figure:
        """The same body in a camera's frame."""
        root = view.rotation @ axis_angle_to_matrix(xp, self.global_orient)
        pelvis = default_body_arrays().joints(self.betas)[0]
        transl = view.rotation @ (pelvis + self.transl) + view.transl - pelvis
        return replace(self, global_orient=matrix_to_axis_angle(xp, root), transl=transl)


@dataclass(frozen=True)
class View:
    """A camera in the world: rotation (3, 3) and transl (3,) from the world to its frame."""

    camera: Camera
    rotation: np.ndarray
    transl: np.ndarray

    def place(self) -> np.ndarray:
        """Its centre in the world, (3,) m."""
        return -self.rotation.T @ self.transl

    def to_world(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of its frame in the world."""
        return (points - self.transl) @ self.rotation


@dataclass(frozen=True)
class Scene:
    """People, the main one first, boxes (8, 3) in front of them by their corners, and a camera."""

    kind: str
    seed: tuple[int, int, int]
    view: View
    figures: tuple[Figure, ...]
    boxes: tuple[np.ndarray, ...] = ()

    def truth(self, visibility: list[np.ndarray]) -> dict[str, Any]:
        """For a file: everything in the camera's frame. visibility (33,) of each person."""
        people = []
        for figure, flags in zip(self.figures, visibility, strict=True):
            seen = figure.seen_by(self.view)
            _, joints, keypoints = seen.posed()
            arrays = {n: getattr(seen, n) for n in ("global_orient", "body_pose", "betas")}
            arrays |= {"transl": seen.transl, "joints": joints, "visibility": flags}
            arrays["keypoints"] = self.view.camera.project(keypoints)
            people.append({"clip": seen.clip} | {n: v.tolist() for n, v in arrays.items()})
        return {
            "kind": self.kind,
            "camera": self.view.camera.to_dict(),
            "people": people,
            "notice": "Poses from mocap.cs.cmu.edu, created with funding from NSF EIA-0196217.",
        }


@lru_cache(maxsize=3)
def poses(name: str) -> dict[str, np.ndarray]:
    """Captured poses of a split, in an order of their own."""
    with np.load(DATA / f"{name}_poses.npz") as data:
        order = np.random.default_rng(SETS.index(name)).permutation(len(data["pose"]))
        clips = data["names"][data["clip"][order]]
        return {"pose": data["pose"][order], "root": data["global_orient"][order], "clip": clips}


def make_scene(name: str, kind: str, number: int) -> Scene:
    """Scene `number` of a kind, with poses of a split; always the same one."""
    seed = (SETS.index(name), KINDS.index(kind), number)
    random = np.random.default_rng(seed)
    turn = random.uniform(0, 2 * np.pi)
    main = _standing(name, KINDS.index(kind) + len(KINDS) * number, turn, random)
    view = _view(main, kind, SIZES[number % len(SIZES)], random)
    figures = [main]
    for place in _beside(random.integers(1, 3) if kind == "crowd" else 0, random):
        row, turn = int(random.integers(10**6)), random.uniform(0, 2 * np.pi)
        other = _standing(name, row, turn, random)
        figures.append(replace(other, transl=other.transl + place))
    boxes = (_in_front(main, view, random),) if kind == "occluded" else ()
    return Scene(kind, seed, view, tuple(figures), boxes)


def _standing(name: str, number: int, turn: float, random: np.random.Generator) -> Figure:
    """A captured pose with its lean, turned about the vertical, its lowest point on the floor."""
    data = poses(name)
    row = number % len(data["pose"])
    captured = axis_angle_to_matrix(xp, data["root"][row].astype(float))
    turn -= float(np.arctan2(captured[0, 2], captured[2, 2]))
    root = axis_angle_to_matrix(xp, np.array([0.0, turn, 0.0])) @ captured
    betas = 0.8 * random.normal(size=10)
    pose, clip = data["pose"][row].astype(float), str(data["clip"][row])
    figure = Figure(matrix_to_axis_angle(xp, root), pose, betas, clip)
    vertices, _, _ = figure.posed()
    low, high = vertices.min(0), vertices.max(0)
    return replace(figure, transl=-np.array([low[0] + high[0], 2 * low[1], low[2] + high[2]]) / 2)


def _beside(count: int, random: np.random.Generator) -> list[np.ndarray]:
    """Places (3,) m on the floor about the main person, none within another."""
    places = [np.zeros(3)]
    while len(places) <= count:
        reach, way = random.uniform(0.45, 1.0), random.uniform(0, 2 * np.pi)
        place = reach * np.array([np.cos(way), 0.0, np.sin(way)])
        if all(np.linalg.norm(place - other) > 0.45 for other in places):
            places.append(place)
    return places[1:]


def _view(main: Figure, kind: str, size: tuple[int, int], random: np.random.Generator) -> View:
    """A camera above the floor that shows the person as the kind wants it."""
    width, height = size
    vertices, _, _ = main.posed()
    for _ in range(100):
        focal = height * random.uniform(1.3 if kind == "cut" else 0.9, 2.6)
        camera = Camera(focal, focal, width / 2, height / 2, width, height)
        pitch = np.radians(random.uniform(-5, 18))
        rotation = axis_angle_to_matrix(xp, np.array([pitch, 0.0, 0.0])) @ FLIP
        seen = vertices @ rotation.T
        low, high = seen.min(0), seen.max(0)
        scale, centre = _framing(high[:2] - low[:2], kind, size, random)
        depth = focal / scale
        middle = (low + high) / 2
        transl = np.array([*(centre / scale), depth]) - middle
        view = View(camera, rotation, transl)
        if view.place()[1] > 0.2 and (seen[:, 2] + transl[2]).min() > 0.25:
            return view
    raise RuntimeError("no camera above the floor shows this pose")


def _framing(
    extent: np.ndarray, kind: str, size: tuple[int, int], random: np.random.Generator
) -> tuple[float, np.ndarray]:
    """Pixels a metre, and where the middle of a person of this extent (2,) m lies, px from the
    photo's middle."""
    plane = np.array(size, float)
    fill = random.uniform(0.4, 0.8) if kind == "crowd" else random.uniform(0.55, 0.92)
    scale = fill * float((plane / extent).min())
    slack = (plane - scale * extent) / 2
    if kind != "cut":
        return scale, random.uniform(-0.8, 0.8, 2) * slack
    if random.random() < 0.2:  # cut by a side
        aside = random.choice((-1, 1)) * (slack[0] + random.uniform(0.3, 0.6) * scale * extent[0])
        return scale, np.array([aside, random.uniform(-0.8, 0.8) * slack[1]])
    share = random.uniform(*CUTS[random.integers(len(CUTS))])
    scale = 0.9 * plane[1] / (share * extent[1])
    top = random.uniform(0.03, 0.1) * plane[1]
    aside = random.uniform(-0.15, 0.15) * plane[0]
    return scale, np.array([aside, top + scale * extent[1] / 2 - plane[1] / 2])


def _in_front(main: Figure, view: View, random: np.random.Generator) -> np.ndarray:
    """Corners (8, 3) of a table, a post or a box that hides a part of the person. World."""
    _, _, keypoints = main.seen_by(view).posed()
    pixels = view.camera.project(keypoints)
    low, high = pixels.min(0), pixels.max(0)
    size, middle = (high - low).max(), (low + high) / 2
    kind = random.integers(3)
    if kind == 0:  # from a random height down to the floor
        top = low[1] + random.uniform(0.3, 0.75) * (high[1] - low[1])
        wide = random.uniform(0.4, 1.2) * size
        corner, end = (middle[0] - wide, top), (middle[0] + wide, high[1] + 0.1 * size)
    elif kind == 1:  # an upright edge before one side
        wide, x = random.uniform(0.12, 0.35) * size, random.uniform(low[0], high[0])
        corner, end = (x - wide / 2, -0.2 * size), (x + wide / 2, view.camera.height + 0.2 * size)
    else:  # something as large as a limb
        about = pixels[random.integers(11, 33)] + 0.05 * size * random.normal(size=2)
        half = random.uniform(0.08, 0.2, 2) * size
        corner, end = about - half, about + half
    depth = random.uniform(0.6, 0.9) * keypoints[:, 2].min()
    columns, lines = (corner[0], end[0], end[0], corner[0]), (corner[1], corner[1], end[1], end[1])
    face = np.stack((np.array(columns), np.array(lines)), -1) - (view.camera.cx, view.camera.cy)
    front = np.column_stack((face / view.camera.fx * depth, np.full(4, depth)))
    return view.to_world(np.concatenate((front, 1.08 * front)))
