"""How well a regressor does on drawn people whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ...bodies.parts import NUM_PARTS
from ...drawing.zbuffer import part_iou, part_map, rasterise
from ...guess.figure import Figure
from ...core.metrics import mpjpe
from ...guess.inputs import CROP
from ..synthetic import PHOTO, People
from .examples import Style, Truth, make_inputs
from .losses import predict


@dataclass(frozen=True)
class Score:
    """pixels: mean distance of projected keypoints from the true ones on a photo of PHOTO px; part_iou: mIoU against true
    parts; mpjpe in mm."""

    pixels: float
    part_iou: float
    mpjpe: float

    def text(self) -> str:
        """For people to read."""
        return f"2D {self.pixels:.2f} px, mIoU {self.part_iou:.3f}, MPJPE {self.mpjpe:.1f} mm on held-out drawn people"


@torch.no_grad()
def score(
    figure: Figure,
    net: torch.nn.Module,
    people: People,
    style: Style,
    seed: int = 99,
    overlaps: int | None = None,
) -> Score:
    """Errors on corrupted inputs, always the same for one seed. overlaps: draw only so many for the mIoU."""
    device = figure.body.device
    training = net.training
    net.eval()
    inputs = make_inputs(people, style, np.random.default_rng(seed)).to(device)
    got = [
        predict(figure, net, inputs.pick(rows))
        for rows in torch.arange(len(people), device=device).split(256)
    ]
    net.train(training)
    keypoints = torch.cat([g.keypoints for g in got]).cpu().numpy()
    pixels = float(np.linalg.norm(keypoints - people.keypoints, axis=-1).mean())
    truth = Truth.of(people)
    _, wanted = figure.body(
        *(
            t.to(device)
            for t in (truth.rotations[:, :1].flatten(1, 2), truth.rotations[:, 1:], truth.betas)
        )
    )
    joints = torch.cat([g.joints for g in got])
    error = 1e3 * float(mpjpe(joints.cpu().numpy(), wanted.cpu().numpy()).mean())
    overlap = []
    faces, labels = figure.body.faces.cpu().numpy(), figure.body.parts.cpu().numpy()
    rotations, betas, transl = (
        torch.cat([getattr(g, n) for g in got]) for n in ("rotations", "betas", "transl")
    )
    for i in range(min(len(people), overlaps or len(people))):
        vertices, _ = figure.body(
            rotations[i : i + 1, 0], rotations[i : i + 1, 1:], betas[i : i + 1], transl[i : i + 1]
        )
        v = vertices[0].double().cpu().numpy()
        image = v[:, :2] / np.maximum(v[:, 2:], 1e-3) * people.focal[i] + PHOTO / 2
        local = (image - people.crop[i, :2]) / people.crop[i, 2] * CROP
        a, b, c = (local[faces[:, k]] for k in range(3))
        front = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) < (b[:, 1] - a[:, 1]) * (
            c[:, 0] - a[:, 0]
        )
        drawn = part_map(rasterise(local, v[:, 2], faces[front], CROP, CROP), faces[front], labels)
        overlap.append(part_iou(drawn, people.parts[i], NUM_PARTS))
    return Score(pixels, float(np.mean(overlap)), error)
