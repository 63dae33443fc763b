"""Contact sheets: many pictures on one page."""

from collections.abc import Sequence

import cv2
import numpy as np


def contact_sheet(
    images: Sequence[np.ndarray],
    columns: int,
    labels: Sequence[str] | None = None,
    tile: tuple[int, int] | None = None,
) -> np.ndarray:
    """RGB images row by row on white, each in a `tile` (height, width). -> (H, W, 3) uint8."""
    height, width = tile or images[0].shape[:2]
    rows = -(-len(images) // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for i, image in enumerate(images):
        scale = min(height / image.shape[0], width / image.shape[1])
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale != 1 else image
        y, x = i // columns * height, i % columns * width
        sheet[y : y + small.shape[0], x : x + small.shape[1]] = small
        if labels:
            write(sheet, labels[i], (x + 4, y + 14), 0.4)
    return sheet


def write(image: np.ndarray, text: str, place: tuple[int, int], size: float) -> None:
    """Text on an image, in nearly black, its lower left corner at a place px."""
    font, colour = cv2.FONT_HERSHEY_SIMPLEX, (25, 25, 25)
    cv2.putText(image, text, place, font, size, colour, 1, cv2.LINE_AA)
