"""Photos without 3D: a folder of one's own, COCO keypoint annotations, OpenImages person boxes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...batch.sources import PHOTO_SUFFIXES
from ...errors import InvalidInputError, KinflowError
from ...perception.part_labels import label_parts
from ...perception.photos import Photo, read_photo
from ...records import Observation
from ...guess.inputs import Inputs, coco_keypoints, observed_inputs
from .weak import Unlabelled, unlabelled_of

MIN_CONFIDENT, CONFIDENT = 8, 0.4
MIN_HEIGHT_PX = 48.0
PERSON_LABELS = {
    "/m/01g317",
    "/m/04yx4",
    "/m/03bt1vf",
    "/m/01bl7v",
    "/m/05r655",
}  # person, man, woman, boy, girl
Found = tuple[Observation, Photo]


def is_clear(person: Observation) -> bool:
    """The supplement's selection: enough confident keypoints (here of COCO's 17), on a person that is large enough."""
    _, confidence = coco_keypoints(person)
    return (
        int((confidence >= CONFIDENT).sum()) >= MIN_CONFIDENT
        and person.height_px() >= MIN_HEIGHT_PX
    )


def folder_people(folder: Path) -> Iterator[Found | None]:
    """Everybody whom the detector finds in a folder's photos; None for a photo that shows nobody or cannot be read."""
    from ...perception import observe

    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES):
        try:
            photo, people = read_photo(path), observe(path)
        except KinflowError:
            people = []
        if not people:
            yield None
        for person in people:
            yield label_parts(person), photo


def coco_people(annotations: Path, photos: Path) -> Iterator[Found | None]:
    """People of person_keypoints_*.json with their keypoints and, from their polygons, masks. None for what is left out:
    crowds, people without keypoints, photos that are not there. Raises InvalidInputError for another kind of file."""
    data = _json(annotations)
    try:
        files = {image["id"]: image["file_name"] for image in data["images"]}
        items = sorted(data["annotations"], key=lambda a: (str(a["image_id"]), str(a.get("id"))))
    except (KeyError, TypeError) as error:
        raise InvalidInputError(
            f"{annotations} lacks {error}.", "Give COCO's person_keypoints_*.json."
        ) from error
    opened: tuple[str, Photo | None] = ("", None)
    for item in items:
        name = files.get(item["image_id"])
        if item.get("iscrowd") or not item.get("num_keypoints") or name is None:
            yield None
            continue
        if opened[0] != name:
            opened = (name, _photo(photos / name))
        photo = opened[1]
        if photo is None:
            yield None
            continue
        try:
            table = np.array(item["keypoints"], np.float64).reshape(17, 3)
            x, y, w, h = (float(v) for v in item["bbox"])
        except (KeyError, ValueError, TypeError) as error:
            raise InvalidInputError(
                f"{annotations}: annotation {item.get('id')} is malformed ({error}).",
                "Check the file.",
            ) from error
        confidence = np.choose(table[:, 2].astype(int).clip(0, 2), (0.0, 0.6, 1.0))
        mask = polygon_mask(item.get("segmentation"), photo.camera.height, photo.camera.width)
        person = Observation(
            table[:, :2],
            confidence,
            "coco17",
            photo.camera,
            np.array([x, y, x + w, y + h]),
            mask,
            image_path=photo.path,
        )
        yield label_parts(person), photo


def polygon_mask(segmentation: Any, height: int, width: int) -> np.ndarray | None:
    """COCO's polygons, or uncompressed run lengths -> (H, W) bool; None where there is neither."""
    import cv2

    if isinstance(segmentation, list) and segmentation:
        mask = np.zeros((height, width), np.uint8)
        rings = [
            np.array(ring, np.float64).reshape(-1, 2).round().astype(np.int32)
            for ring in segmentation
            if len(ring) >= 6
        ]
        for ring in rings:
            cv2.fillPoly(mask, [ring], (1,))
        return mask > 0
    if isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), list):
        counts = np.array(segmentation["counts"], int)
        flat = np.repeat(np.arange(len(counts)) % 2, counts)
        if tuple(segmentation.get("size", ())) == (height, width) and len(flat) == height * width:
            return flat.reshape(width, height).T > 0
    return None


def open_images_people(boxes: Path, photos: Path) -> Iterator[Found | None]:
    """People of an OpenImages box file (ImageID, LabelName, XMin, XMax, YMin, YMax, IsGroupOf, IsDepiction), through the
    detector in each box. Raises InvalidInputError for another kind of file."""
    from ...perception import observe

    by_image: dict[str, list[list[float]]] = {}
    try:
        with open(boxes, newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if (
                    row["LabelName"] in PERSON_LABELS
                    and row.get("IsGroupOf", "0") != "1"
                    and row.get("IsDepiction", "0") != "1"
                ):
                    by_image.setdefault(row["ImageID"], []).append(
                        [float(row[k]) for k in ("XMin", "YMin", "XMax", "YMax")]
                    )
    except (OSError, KeyError, ValueError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{boxes} is no OpenImages box file ({error}).", "Give *-annotations-bbox.csv."
        ) from error
    for name, shares in sorted(by_image.items()):
        photo = _photo(photos / f"{name}.jpg")
        if photo is None:
            yield None
            continue
        size = np.array([photo.camera.width, photo.camera.height] * 2)
        for box in _distinct(np.array(shares) * size):
            found = observe(photo.path or photo.rgb, boxes=box[None])
            yield (label_parts(found[0]), photo) if found else None


def _distinct(boxes: np.ndarray) -> list[np.ndarray]:
    """OpenImages boxes one person as "person" and as "man": of two that overlap by 80 % the first."""
    kept: list[np.ndarray] = []
    for box in boxes:
        if all(_overlap(box, other) < 0.8 for other in kept):
            kept.append(box)
    return kept


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    both = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(both / max(1e-9, (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both))


def unlabelled_photos(
    photos: Path,
    coco: Path | None,
    open_images: Path | None,
    limit: int,
    seed: int,
    report: Callable[[str], None],
) -> tuple[Unlabelled, int, int]:
    """People of a data set or folder that are seen clearly. -> them, how many were kept and how many left out."""
    if not photos.is_dir():
        raise InvalidInputError(
            f"There is no folder {photos}.", "Give the folder that holds the photos."
        )
    people = (
        coco_people(coco, photos)
        if coco
        else open_images_people(open_images, photos)
        if open_images
        else folder_people(photos)
    )
    rows: list[Inputs] = []
    kept = dropped = 0
    for found in people:
        if found is None or not is_clear(found[0]):
            dropped += 1
            continue
        person, photo = found
        rows.append(observed_inputs([person], [person.camera or photo.camera], [photo.rgb]))
        kept += 1
        if kept % 100 == 0:
            report(f"{kept} people kept, {dropped} left out")
        if kept >= limit:
            break
    report(
        f"{kept} people kept, {dropped} left out (fewer than {MIN_CONFIDENT} confident keypoints, too small, or nobody)"
    )
    if not rows:
        raise InvalidInputError(
            f"Nobody in {photos} is seen clearly enough.",
            "Give photos with larger, clearer people.",
        )
    return unlabelled_of(Inputs.cat(rows), seed), kept, dropped


def _photo(path: Path) -> Photo | None:
    try:
        return read_photo(path)
    except KinflowError:
        return None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"{path} cannot be read as JSON: {error}", "Give COCO's person_keypoints_*.json."
        ) from error
