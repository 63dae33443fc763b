"""People with known truth: held-out captured poses, random shapes, turns and cameras, rendered part maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from kinflow import Camera, Observation, load_body
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.drawing.zbuffer import part_map, rasterise
from kinflow.rotations import axis_angle_to_matrix

from .make_heldout import HELDOUT

SIZE = 480


def make_people(
    count: int, noise_px: float, seed: int = 0, parts: bool = True, source: Path = HELDOUT
):
    """Observations (with part maps), true joints (N, 24, 3), true part maps, clip index (N,), true vertices (N, n, 3).

    Keypoints: COCO-17 with Gaussian noise, 6% missing, confidences of 0.6 to 1. Every eighth vertex is kept.
    """
    random = np.random.default_rng(seed)
    with np.load(source) as data:
        picks = random.choice(len(data["pose"]), count, False)
        pose, clip = torch.from_numpy(data["pose"][picks]), data["clip"][picks]
    body = load_body()
    regressor = keypoint_regressor(body, "coco17")
    generator = torch.Generator().manual_seed(seed)
    betas = 0.8 * torch.randn(count, 10, generator=generator)
    yaw = 2 * torch.pi * torch.rand(count, generator=generator)
    tilt = 0.15 * torch.randn(count, generator=generator)
    zero = torch.zeros_like(yaw)
    half = axis_angle_to_matrix(torch.tensor([torch.pi, 0.0, 0.0]))
    turned = axis_angle_to_matrix(torch.stack((zero, yaw, zero), -1))
    root = axis_angle_to_matrix(torch.stack((tilt, zero, zero), -1)) @ half @ turned
    people, joints_all, truth, meshes = [], [], [], []
    for i in range(count):
        focal = random.uniform(450, 800)
        camera = Camera(focal, focal, SIZE / 2, SIZE / 2, SIZE, SIZE)
        depth = focal * random.uniform(2.0, 2.6) / SIZE + 1.0
        vertices, joints = body(
            root[i : i + 1], pose[i : i + 1], betas[i : i + 1], torch.tensor([[0.0, 0.25, depth]])
        )
        points = camera.project(regressor(joints, vertices)[0].double().numpy())
        confidence = np.where(random.random(17) < 0.06, 0.0, random.uniform(0.6, 1.0, 17))
        mesh = vertices[0].double().numpy()
        labels = None
        if parts:
            raster = rasterise(camera.project(mesh), mesh[:, 2], body.faces.numpy(), SIZE, SIZE)
            labels = part_map(raster, body.faces.numpy(), body.parts.numpy())
        people.append(
            Observation(
                points + noise_px * random.normal(size=(17, 2)),
                confidence,
                "coco17",
                camera,
                parts=labels,
            )
        )
        joints_all.append(joints[0].numpy())
        truth.append(labels)
        meshes.append(mesh[::8])
    return people, np.stack(joints_all), truth, clip, np.stack(meshes)
