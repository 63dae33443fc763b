"""One page a photo: what was seen, the bodies over it, and each of them without it, in words."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..bodies.arrays import BodyArrays
from ..records import FITTED, FitResult, Hypothesis, Observation
from .overlay import draw_keypoints, overlay
from .readings import front_and_sides

MARGIN, TEXT_WIDTH, TOP = 20, 300, 64
PHOTO = (560, 700)
VIEW = (250, 180)
MOST_PEOPLE, MOST_READINGS = 4, 4
THUMBNAIL = 144
_ROW = VIEW[0] + 40
_INK, _PALE = (30, 30, 34), (110, 110, 118)


@dataclass(frozen=True)
class Person:
    """Who is shown: what was seen, what was fitted, and how unusual the pose is, in words."""

    observation: Observation
    result: FitResult
    unusual: str = ""


@dataclass(frozen=True)
class Pages:
    """The sheet (H, W, 3) uint8, and a picture of each person for lists (S, S, 3)."""

    sheet: np.ndarray
    thumbnails: list[np.ndarray]


def fit_pages(name: str, rgb: np.ndarray, people: Sequence[Person], body: BodyArrays) -> Pages:
    """The sheet and the thumbnails of a photo (H, W, 3) uint8 with fitted people."""
    small = _reduced(rgb)
    over = overlay(small, [p.result for p in people], 0.7)
    seen = draw_keypoints(over, [p.observation for p in people])
    shown = people[:MOST_PEOPLE]
    rows = [_row(person, body) for person in shown]
    sheet = _Sheet.of(small.shape[:2], [len(views) for views in rows])
    sheet.head(name, small, seen, len(people))
    for number, (person, views) in enumerate(zip(shown, rows, strict=True)):
        sheet.person(number, person, views)
    thumbnails = [_thumbnail(over, p.observation, rgb.shape[1]) for p in people]
    return Pages(np.asarray(sheet.image), thumbnails)


def thumbnail(rgb: np.ndarray) -> np.ndarray:
    """A whole photo on a square. -> (S, S, 3) uint8."""
    return _square(_reduced(rgb))


def _reduced(rgb: np.ndarray) -> np.ndarray:
    """A photo as large as its place on the sheet; a smaller one stays."""
    scale = min(1.0, PHOTO[0] / rgb.shape[0], PHOTO[1] / rgb.shape[1])
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if scale < 1 else rgb


def _row(person: Person, body: BodyArrays) -> list[np.ndarray]:
    if person.result.status not in FITTED:
        return []
    return front_and_sides(person.result, body, VIEW, MOST_READINGS)


def _thumbnail(picture: np.ndarray, person: Observation, full_width: int) -> np.ndarray:
    """The person's part of a picture that is smaller than the photo."""
    scale = picture.shape[1] / (person.camera.width if person.camera else full_width)
    points = person.keypoints[person.usable] * scale
    if not len(points):
        return _square(picture)
    low, high = points.min(0), points.max(0)
    reach = 0.6 * max(*(high - low), 32)
    limit = np.array(picture.shape[1::-1])
    first = np.clip(np.floor((low + high) / 2 - reach), 0, limit - 1).astype(int)
    last = np.clip(np.ceil((low + high) / 2 + reach), first + 1, limit).astype(int)
    return _square(picture[first[1] : last[1], first[0] : last[0]])


def _square(image: np.ndarray) -> np.ndarray:
    scale = THUMBNAIL / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    square = np.full((THUMBNAIL, THUMBNAIL, 3), 255, np.uint8)
    y, x = (THUMBNAIL - size[1]) // 2, (THUMBNAIL - size[0]) // 2
    square[y : y + size[1], x : x + size[0]] = small
    return square


@dataclass(frozen=True)
class _Sheet:
    """A page that is being filled; below: where its people begin, px."""

    image: Image.Image
    below: int

    @staticmethod
    def of(photo: tuple[int, ...], views: Sequence[int]) -> "_Sheet":
        """photo: its height and width on the page; views: how many each person has."""
        below = TOP + photo[0] + MARGIN
        needed = TEXT_WIDTH + max(views, default=0) * (VIEW[1] + MARGIN)
        width = max(2 * photo[1] + 3 * MARGIN, needed + 2 * MARGIN)
        height = below + len(views) * _ROW + MARGIN // 2
        return _Sheet(Image.new("RGB", (width, height), "white"), below)

    def write(
        self, text: str, corner: tuple[int, int], size: float = 15, colour: tuple = _PALE
    ) -> None:
        font = ImageFont.load_default(size)
        ImageDraw.Draw(self.image).text(corner, text, colour, font)

    def head(self, name: str, photo: np.ndarray, seen: np.ndarray, people: int) -> None:
        right = photo.shape[1] + 2 * MARGIN
        count = "1 person" if people == 1 else f"{people} people"
        more = f", {MOST_PEOPLE} of them below" if people > MOST_PEOPLE else ""
        self.write(_shortened(name, self.image.width // 13), (MARGIN, 8), 22, _INK)
        self.write("the photo", (MARGIN, 39))
        self.write(f"{count}{more}; a circle: how far off a keypoint may be", (right, 39))
        self.image.paste(Image.fromarray(photo), (MARGIN, TOP))
        self.image.paste(Image.fromarray(seen), (right, TOP))

    def person(self, number: int, person: Person, views: Sequence[np.ndarray]) -> None:
        top = self.below + number * _ROW
        line = (MARGIN, top, self.image.width - MARGIN, top)
        ImageDraw.Draw(self.image).line(line, (222, 222, 226))
        self.write(f"Person {number}", (MARGIN, top + 10), 19, _INK)
        for index, words in enumerate(described(person)):
            self.write(words, (MARGIN, top + 42 + 23 * index), colour=_PALE if index else _INK)
        labels = ["from the front", "from the side"]
        labels += [f"another reading, {_error(h)}" for h in person.result.hypotheses[1:]]
        for index, view in enumerate(views):
            left = MARGIN + TEXT_WIDTH + index * (VIEW[1] + MARGIN)
            self.image.paste(Image.fromarray(view), (left, top + 34))
            self.write(labels[index], (left, top + 12))


def described(person: Person) -> list[str]:
    """A fit in a few short lines."""
    result = person.result
    if result.status not in FITTED:
        return ["No fit.", *_wrapped(result.message or result.status.replace("_", " "))]
    share = 100 * result.keypoint_error_px / max(1.0, person.observation.height_px())
    lines = [f"Keypoints off by {result.keypoint_error_px:.1f} px ({share:.1f} % of height)"]
    if result.mask_iou is not None:
        lines.append(f"Covers {100 * result.mask_iou:.0f} % of the outline")
    if result.unusual is not None:
        lines += [*_wrapped(f"Pose: {person.unusual}"), _rarity(result.unusual)]
    count = len(result.hypotheses)
    lines.append("No other reading" if count < 2 else f"{count} readings of the same keypoints")
    if result.status != "converged":
        lines.append("The search stopped before it settled")
    return lines


def _rarity(percentile: float) -> str:
    return f"({percentile:.0f} of 100 captured poses are likelier)"


def _error(reading: Hypothesis) -> str:
    return f"{reading.keypoint_error_px:.1f} px"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 2 :]}"


def _wrapped(text: str, width: int = 38) -> list[str]:
    return textwrap.wrap(text, width)
