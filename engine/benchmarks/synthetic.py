"""People with known truth: held-out captured poses, random shapes and cameras, drawn part maps."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from kinflow import Camera, Observation, load_body
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.bodies.model import Body
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.drawing.zbuffer import part_map, rasterise

from .make_heldout import HELDOUT

SIZE = 480
EVERY = 8  # of the true vertices one in so many is kept


class Truths(NamedTuple):
    """N observed people with part maps, and what is true of them in the camera's frame.

    joints (N, 24, 3) m, part maps (SIZE, SIZE) or None, clip index (N,), every eighth vertex
    (N, n, 3) m.
    """

    people: list[Observation]
    joints: np.ndarray
    parts: list[np.ndarray | None]
    clip: np.ndarray
    vertices: np.ndarray


def make_people(
    count: int, noise_px: float, seed: int = 0, parts: bool = True, source: Path = HELDOUT
) -> Truths:
    """Held-out people before random cameras.

    Each in a photo of their own. Keypoints: COCO-17 with Gaussian noise, 6% missing, confidences of
    0.6 to 1.
    """
    random = np.random.default_rng(seed)
    with np.load(source) as data:
        picks = random.choice(len(data["pose"]), count, False)
        pose, clip = torch.from_numpy(data["pose"][picks]), data["clip"][picks]
    body = load_body()
    regressor = keypoint_regressor(body, "coco17")
    generator = torch.Generator().manual_seed(seed)
    betas = 0.8 * torch.randn(count, 10, generator=generator)
    root = _roots(count, generator)
    people, joints, labels, meshes = [], [], [], []
    for i in range(count):
        focal = random.uniform(450, 800)
        camera = Camera(focal, focal, SIZE / 2, SIZE / 2, SIZE, SIZE)
        depth = focal * random.uniform(2.0, 2.6) / SIZE + 1.0
        transl = torch.tensor([[0.0, 0.25, depth]])
        row = slice(i, i + 1)
        vertices, places = body(root[row], pose[row], betas[row], transl)
        points = camera.project(regressor(places, vertices)[0].double().numpy())
        confidence = np.where(random.random(17) < 0.06, 0.0, random.uniform(0.6, 1.0, 17))
        mesh = vertices[0].double().numpy()
        labels.append(draw_parts(body, camera, mesh) if parts else None)
        noisy = points + noise_px * random.normal(size=(17, 2))
        plane = labels[-1]
        people.append(Observation(noisy, confidence, "coco17", camera, parts=plane, photo=i))
        joints.append(places[0].numpy())
        meshes.append(mesh[::EVERY])
    return Truths(people, np.stack(joints), labels, clip, np.stack(meshes))


def _roots(count: int, generator: torch.Generator) -> Tensor:
    """Nearly upright before the camera, turned any way. -> (N, 3, 3)."""
    yaw = 2 * torch.pi * torch.rand(count, generator=generator)
    tilt = 0.15 * torch.randn(count, generator=generator)
    zero = torch.zeros_like(yaw)
    half = axis_angle_to_matrix(xp, torch.tensor([torch.pi, 0.0, 0.0]))
    turned = axis_angle_to_matrix(xp, torch.stack((zero, yaw, zero), -1))
    return axis_angle_to_matrix(xp, torch.stack((tilt, zero, zero), -1)) @ half @ turned


def draw_parts(body: Body, camera: Camera, mesh: np.ndarray) -> np.ndarray:
    """Part labels of a mesh (V, 3) m in the camera's frame. -> (SIZE, SIZE) uint8."""
    faces = body.faces.numpy()
    raster = rasterise(camera.project(mesh), mesh[:, 2], faces, SIZE, SIZE)
    return part_map(raster, faces, body.parts.numpy())
