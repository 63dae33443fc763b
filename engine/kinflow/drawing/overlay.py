"""Fits over their photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..bodies.keypoint_names import NAMES, edges
from ..bodies.model import Body
from ..bodies.parts import NUM_PARTS
from ..records import FitResult, Observation
from .shading import draw_mesh, part_colours

MAX_PIXEL = 30_000
_PALETTE = part_colours(12)[1:]


def overlay(rgb: np.ndarray, results: Sequence[FitResult], opacity: float = 0.75) -> np.ndarray:
    """Meshes over the photo, nearer people in front, each in a tint.

    rgb (H, W, 3) uint8 -> same shape.
    """
    image = rgb
    ordered = sorted(range(len(results)), key=lambda i: -float(results[i].joints[0, 2]))
    for index in ordered:
        result = results[index]
        if result.status in ("failed", "too_few_keypoints"):
            continue
        scale = np.array([rgb.shape[1] / result.camera.width, rgb.shape[0] / result.camera.height])
        points = result.camera.project(result.vertices.astype(np.float64)) * scale
        tint = 0.45 * _PALETTE[index % len(_PALETTE)] + 0.55 * np.array([205, 195, 230])
        colours = np.tile(tint, (len(result.vertices), 1))
        image, _ = draw_mesh(
            image, result.vertices.astype(np.float64), result.faces, points, opacity, colours
        )
    return image


def hypothesis_strip(rgb: np.ndarray, result: FitResult, body: Body) -> np.ndarray:
    """Every hypothesis over the photo and from the side, best first. -> (H, W, 3) uint8."""
    import cv2
    import torch

    from .figures import draw_body

    height = min(480, rgb.shape[0])
    columns = []
    for hypothesis in result.hypotheses:
        parameters = (
            hypothesis.global_orient,
            hypothesis.body_pose,
            hypothesis.betas,
            hypothesis.transl,
        )
        vertices = (
            body(*(torch.from_numpy(np.asarray(p))[None] for p in parameters))[0][0].cpu().numpy()
        )
        shown = overlay(rgb, [replace(result, vertices=vertices)])
        shown = cv2.resize(
            shown,
            (max(1, round(rgb.shape[1] * height / rgb.shape[0])), height),
            interpolation=cv2.INTER_AREA,
        )
        side = draw_body(vertices * [1.0, -1.0, -1.0], result.faces, (height, height * 3 // 4), 1.4)
        cv2.putText(
            side,
            f"energy {hypothesis.energy:.1f}",
            (6, 18),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            (30, 30, 30),
            1,
            cv2.LINE_AA,
        )
        columns.append(np.concatenate((shown, side), 1))
    return np.concatenate(columns, 1)


def draw_observations(
    rgb: np.ndarray, people: Sequence[Observation], opacity: float = 0.5
) -> np.ndarray:
    """Keypoints with their limbs, and part labels, over the photo.

    rgb (H, W, 3) uint8 -> same shape.
    """
    import cv2

    image = rgb.copy()
    colours = part_colours(NUM_PARTS)
    for person in people:
        if person.parts is not None:
            plane = cv2.resize(
                person.parts, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_NEAREST
            )
            tinted = (1 - opacity) * image + opacity * colours[plane]
            image = np.where((plane > 0)[..., None], tinted, image).astype(np.uint8)
    thick = max(1, round(max(rgb.shape[:2]) / 500))
    for person in people:
        scale = rgb.shape[1] / person.camera.width if person.camera else 1.0
        shown = person.usable & (person.confidence > 0.1)
        points = np.where(shown[:, None], person.keypoints * scale, 0)
        # far outside of the photo OpenCV's fixed point would overflow
        pixels = np.clip(points, -MAX_PIXEL, MAX_PIXEL).astype(int).tolist()
        names = NAMES[person.keypoint_set]
        for a, b in edges(person.keypoint_set):
            if shown[a] and shown[b]:
                colour = (255, 140, 40) if names[b].startswith("left") else (60, 150, 255)
                cv2.line(image, pixels[a], pixels[b], colour, thick, cv2.LINE_AA)
        for i in np.flatnonzero(shown):
            cv2.circle(image, pixels[i], 2 * thick, (255, 255, 255), -1, cv2.LINE_AA)
    return image
