"""How well a regressor does on drawn people whose truth is known."""

from dataclasses import dataclass

import numpy as np
import torch

from ...bodies.parts import NUM_PARTS
from ...core.metrics import mpjpe
from ...drawing.zbuffer import part_iou
from ...guessing.figure import Figure, Placed
from ...guessing.inputs import CROP
from ..synthetic import People, draw_parts, photo_camera
from .examples import Style, Truth, make_inputs
from .losses import predict


@dataclass(frozen=True)
class Score:
    """Means over people.

    pixels: distance of projected keypoints from the true ones on a photo of PHOTO px; part_iou:
    mIoU against true parts; mpjpe: mm.
    """

    pixels: float
    part_iou: float
    mpjpe: float

    def text(self) -> str:
        """For people to read."""
        errors = f"2D {self.pixels:.2f} px, mIoU {self.part_iou:.3f}, MPJPE {self.mpjpe:.1f} mm"
        return f"{errors} on held-out drawn people"


@torch.no_grad()
def score(
    figure: Figure,
    net: torch.nn.Module,
    people: People,
    style: Style,
    seed: int = 99,
    overlaps: int | None = None,
) -> Score:
    """Errors on corrupted inputs, always the same for one seed.

    overlaps: draw only so many for the mIoU.
    """
    training = net.training
    net.eval()
    inputs = make_inputs(people, style, np.random.default_rng(seed)).to(figure.body.device)
    rows = torch.arange(len(people), device=figure.body.device).split(256)
    chunks = [predict(figure, net, inputs.pick(r)) for r in rows]
    net.train(training)
    placed = Placed(*(torch.cat([getattr(c, n) for c in chunks]) for n in vars(chunks[0])))
    missed = np.linalg.norm(placed.keypoints.cpu().numpy() - people.keypoints, axis=-1)
    truth = Truth.of(people, figure.body.device)
    _, joints = figure.body(truth.rotations[:, 0], truth.rotations[:, 1:], truth.betas)
    error = 1e3 * mpjpe(placed.joints.cpu().numpy(), joints.cpu().numpy())
    overlap = [_overlap(figure, placed, people, i) for i in range(len(people))[:overlaps]]
    return Score(float(missed.mean()), float(np.mean(overlap)), float(error.mean()))


def _overlap(figure: Figure, placed: Placed, people: People, i: int) -> float:
    """Mean IoU of one person's drawn parts with the true ones."""
    rotations, betas, transl = (getattr(placed, n)[[i]] for n in ("rotations", "betas", "transl"))
    vertices, _ = figure.body(rotations[:, 0], rotations[:, 1:], betas, transl)
    mesh = vertices[0].double().cpu().numpy()
    image = photo_camera(people.focal[i]).project(mesh)
    local = (image - people.crop[i, :2]) / people.crop[i, 2] * CROP
    return part_iou(draw_parts(figure.body, local, mesh[:, 2]), people.parts[i], NUM_PARTS)
