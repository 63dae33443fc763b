"""Fits over their photo."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..bodies.keypoint_names import NAMES, edges
from ..bodies.model import Body
from ..bodies.parts import NUM_PARTS
from ..records import FitResult, Observation
from .shading import draw_mesh, part_colours

MAX_PIXEL = 30_000
_PALETTE = part_colours(12)[1:]


def overlay(
    rgb: np.ndarray,
    results: Sequence[FitResult],
    opacity: float = 0.75,
    report: Callable[[float, str], object] = lambda share, text: None,
) -> np.ndarray:
    """Meshes over the photo, nearer people in front, each in a tint.

    rgb (H, W, 3) uint8 -> same shape. report: told the share that is drawn.
    """
    image = rgb
    far_first = sorted(enumerate(results), key=lambda pair: -float(pair[1].joints[0, 2]))
    for drawn, (index, result) in enumerate(far_first):
        report(drawn / len(results), "")
        if result.status in ("failed", "too_few_keypoints"):
            continue
        scale = np.array([rgb.shape[1] / result.camera.width, rgb.shape[0] / result.camera.height])
        vertices = result.vertices.astype(np.float64)
        points = result.camera.project(vertices) * scale
        tint = 0.45 * _PALETTE[index % len(_PALETTE)] + 0.55 * np.array([205, 195, 230])
        colours = np.tile(tint, (len(vertices), 1))
        image, _ = draw_mesh(image, vertices, result.faces, points, opacity, colours)
    return image


def hypothesis_strip(rgb: np.ndarray, result: FitResult, body: Body) -> np.ndarray:
    """Every hypothesis over the photo and from the side, best first. -> (H, W, 3) uint8."""
    import cv2
    import torch

    from .figures import draw_body
    from .sheets import write

    height = min(480, rgb.shape[0])
    size = (max(1, round(rgb.shape[1] * height / rgb.shape[0])), height)
    columns = []
    for h in result.hypotheses:
        parameters = (h.global_orient, h.body_pose, h.betas, h.transl)
        posed, _ = body(*(torch.from_numpy(np.asarray(p))[None] for p in parameters))
        vertices = posed[0].cpu().numpy()
        shown = overlay(rgb, [replace(result, vertices=vertices)])
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
        side = draw_body(vertices * [1.0, -1.0, -1.0], result.faces, (height, height * 3 // 4), 1.4)
        write(side, f"energy {h.energy:.1f}", (6, 18), 0.45)
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
            size = (rgb.shape[1], rgb.shape[0])
            plane = cv2.resize(person.parts, size, interpolation=cv2.INTER_NEAREST)
            tinted = (1 - opacity) * image + opacity * colours[plane]
            image = np.where((plane > 0)[..., None], tinted, image).astype(np.uint8)
    return draw_keypoints(image, people)


def draw_keypoints(image: np.ndarray, people: Sequence[Observation]) -> np.ndarray:
    """Keypoints with their limbs, and each one's scale of error as a circle where it is known.

    image (H, W, 3) uint8 -> a new one.
    """
    image = image.copy()
    for person in people:
        _draw_person(image, person)
    return image


def _draw_person(image: np.ndarray, person: Observation) -> None:
    import cv2

    thick = max(1, round(max(image.shape[:2]) / 500))
    scale = image.shape[1] / person.camera.width if person.camera else 1.0
    shown = person.usable & (person.confidence > 0.1)
    points = np.where(shown[:, None], person.keypoints * scale, 0)
    # far outside of the photo OpenCV's fixed point would overflow
    pixels = np.clip(points, -MAX_PIXEL, MAX_PIXEL).astype(int).tolist()
    names = NAMES[person.keypoint_set]
    for a, b in edges(person.keypoint_set):
        if shown[a] and shown[b]:
            cv2.line(image, pixels[a], pixels[b], _side(names[b]), thick, cv2.LINE_AA)
    for i in np.flatnonzero(shown):
        if person.sigma is not None and np.isfinite(person.sigma[i]):
            radius = round(float(np.clip(person.sigma[i] * scale, 1, MAX_PIXEL)))
            cv2.circle(image, pixels[i], radius, _side(names[i]), 1, cv2.LINE_AA)
        cv2.circle(image, pixels[i], 2 * thick, (255, 255, 255), -1, cv2.LINE_AA)


def _side(name: str) -> tuple[int, int, int]:
    return (255, 140, 40) if name.startswith("left") else (60, 150, 255)
