"""Bodies without a photo: sheets of poses for looking at."""

from collections.abc import Callable

import numpy as np
import torch

from ..bodies.files import load_body
from ..priors.prior import Prior
from .shading import draw_mesh
from .sheets import contact_sheet


def draw_body(
    vertices: np.ndarray, faces: np.ndarray, size: tuple[int, int] = (300, 220), yaw: float = 0.4
) -> np.ndarray:
    """One body on white, from `yaw` radians beside its front.

    vertices (V, 3) m, Y up -> (H, W, 3) uint8.
    """
    c, s = np.cos(yaw), np.sin(yaw)
    middle = 0.5 * (vertices.min(0) + vertices.max(0))
    turned = (vertices - middle) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
    camera = turned * [1, -1, -1] + [0, 0, 4.0]
    points = camera[:, :2] / camera[:, 2:] * size[0] * 1.75 + [size[1] / 2, size[0] / 2]
    return draw_mesh(np.full((*size, 3), 255, np.uint8), camera, faces, points, 1.0)[0]


def pose_sheet(
    poses: torch.Tensor,
    columns: int = 20,
    size: tuple[int, int] = (150, 110),
    report: Callable[[float, str], object] = lambda share, text: None,
) -> np.ndarray:
    """Contact sheet of body poses (N, 23, 3, 3); report: told the share that is drawn."""
    body = load_body()
    faces = body.faces.numpy()
    images: list[np.ndarray] = []
    for chunk in torch.as_tensor(poses, dtype=torch.float32).split(32):
        for vertices in body(body_pose=chunk)[0].numpy().astype(float):
            report(len(images) / len(poses), "")
            images.append(draw_body(vertices, faces, size))
    return contact_sheet(images, columns)


def axis_sheet(
    prior: Prior, count: int = 12, sigmas: tuple[float, ...] = (-3, -1.5, 0, 1.5, 3)
) -> np.ndarray:
    """A row for each of the first latent axes, swept through `sigmas`, from front and side."""
    body = load_body()
    faces = body.faces.numpy()
    images = []
    for axis in range(count):
        codes = torch.tensor(sigmas)[:, None] * prior.axes[axis]
        vertices = body(body_pose=prior.decode(codes))[0].numpy().astype(float)
        images += [draw_body(v, faces, (150, 110), yaw) for yaw in (0.3, 1.4) for v in vertices]
    columns = 2 * len(sigmas)
    labels = ["" if i % columns else f"{i // columns + 1}" for i in range(count * columns)]
    return contact_sheet(images, columns, labels)
