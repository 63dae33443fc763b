"""Photos without 3D: a folder of one's own, COCO keypoint annotations, OpenImages person boxes."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...batch.sources import PHOTO_SUFFIXES
from ...errors import InvalidInputError, KinflowError
from ...guessing.inputs import Inputs, coco_keypoints, observed_inputs
from ...perception.part_labels import label_parts
from ...perception.photos import Photo, read_photo
from ...records import Observation
from .unlabelled import Unlabelled, unlabelled_of

MIN_CONFIDENT, CONFIDENT = 8, 0.4
MIN_HEIGHT_PX = 48.0
# person, man, woman, boy, girl
PERSON_LABELS = {"/m/01g317", "/m/04yx4", "/m/03bt1vf", "/m/01bl7v", "/m/05r655"}
_COCO = "Give COCO's person_keypoints_*.json."
PhotoPerson = tuple[Observation, Photo]


@dataclass(frozen=True)
class PhotoSource:
    """Photos of people: a folder, one of its annotation files or none, how many people at most."""

    folder: Path
    coco: Path | None = None
    open_images: Path | None = None
    limit: int = 20000

    def people(self) -> Iterator[PhotoPerson | None]:
        """Everybody in the photos; None for each photo or annotation that shows nobody usable."""
        if self.coco:
            return coco_people(self.coco, self.folder)
        if self.open_images:
            return open_images_people(self.open_images, self.folder)
        return folder_people(self.folder)


def is_clear(person: Observation) -> bool:
    """The supplement's selection: enough confident keypoints (here of COCO's 17), large enough."""
    _, confidence = coco_keypoints(person)
    confident = int((confidence >= CONFIDENT).sum())
    return confident >= MIN_CONFIDENT and person.height_px() >= MIN_HEIGHT_PX


def folder_people(folder: Path) -> Iterator[PhotoPerson | None]:
    """Everybody whom the detector finds in a folder's photos.

    None for a photo that shows nobody or cannot be read.
    """
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


def coco_people(annotations: Path, photos: Path) -> Iterator[PhotoPerson | None]:
    """People of person_keypoints_*.json with their keypoints and, from their polygons, masks.

    None for what is left out: crowds, people without keypoints, photos that are not there. Raises
    InvalidInputError for another kind of file.
    """
    data = _json(annotations)
    try:
        files = {image["id"]: image["file_name"] for image in data["images"]}
        items = sorted(data["annotations"], key=lambda a: (str(a["image_id"]), str(a.get("id"))))
    except (KeyError, TypeError) as error:
        raise InvalidInputError(f"{annotations} lacks {error}.", _COCO) from error
    opened: tuple[str, Photo | None] = ("", None)
    for item in items:
        name, photo = files.get(item["image_id"]), None
        if name is not None and item.get("num_keypoints") and not item.get("iscrowd"):
            if opened[0] != name:
                opened = (name, _photo(photos / name))
            photo = opened[1]
        if photo is None:
            yield None
            continue
        try:
            person = _coco_person(item, photo)
        except (KeyError, ValueError, TypeError) as error:
            why = f"{annotations}: annotation {item.get('id')} is malformed ({error})."
            raise InvalidInputError(why, "Check the file.") from error
        yield label_parts(person), photo


def _coco_person(item: dict[str, Any], photo: Photo) -> Observation:
    """One annotation. Raises KeyError, ValueError or TypeError for a malformed one."""
    table = np.array(item["keypoints"], np.float64).reshape(17, 3)
    x, y, w, h = (float(v) for v in item["bbox"])
    confidence = np.choose(table[:, 2].astype(int).clip(0, 2), (0.0, 0.6, 1.0))
    mask = polygon_mask(item.get("segmentation"), photo.camera.height, photo.camera.width)
    points, box = table[:, :2], np.array([x, y, x + w, y + h])
    return Observation(points, confidence, "coco17", photo.camera, box, mask, image_path=photo.path)


def polygon_mask(segmentation: Any, height: int, width: int) -> np.ndarray | None:
    """COCO's polygons, or uncompressed run lengths -> (H, W) bool; None where there is neither."""
    if isinstance(segmentation, list) and segmentation:
        mask = np.zeros((height, width), np.uint8)
        for ring in segmentation:
            if len(ring) >= 6:
                corners = np.array(ring, np.float64).reshape(-1, 2).round().astype(np.int32)
                cv2.fillPoly(mask, [corners], (1,))
        return mask > 0
    if isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), list):
        counts = np.array(segmentation["counts"], int)
        flat = np.repeat(np.arange(len(counts)) % 2, counts)
        if tuple(segmentation.get("size", ())) == (height, width) and len(flat) == height * width:
            return flat.reshape(width, height).T > 0
    return None


def open_images_people(boxes: Path, photos: Path) -> Iterator[PhotoPerson | None]:
    """People of an OpenImages box file, through the detector in each box.

    Its columns: ImageID, LabelName, XMin, XMax, YMin, YMax, IsGroupOf, IsDepiction. None for a
    photo that is not there or a box in which nobody is found. Raises InvalidInputError for another
    kind of file.
    """
    from ...perception import observe

    for name, shares in sorted(_person_boxes(boxes).items()):
        photo = _photo(photos / f"{name}.jpg")
        if photo is None:
            yield None
            continue
        size = np.array([photo.camera.width, photo.camera.height] * 2)
        for box in _distinct(np.array(shares) * size):
            people = observe(photo.path or photo.rgb, boxes=box[None])
            yield (label_parts(people[0]), photo) if people else None


def _person_boxes(path: Path) -> dict[str, list[list[float]]]:
    """Boxes of single, real people by image: x, y, x, y in shares of the photo."""
    by_image: dict[str, list[list[float]]] = {}
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                single = row.get("IsGroupOf", "0") != "1" and row.get("IsDepiction", "0") != "1"
                if row["LabelName"] in PERSON_LABELS and single:
                    box = [float(row[k]) for k in ("XMin", "YMin", "XMax", "YMax")]
                    by_image.setdefault(row["ImageID"], []).append(box)
    except (OSError, KeyError, ValueError) as error:
        why = f"{path} is no OpenImages box file ({error})."
        raise InvalidInputError(why, "Give *-annotations-bbox.csv.") from error
    return by_image


def _distinct(boxes: np.ndarray) -> list[np.ndarray]:
    """OpenImages boxes one person as "person" and as "man": of two that overlap the first."""
    kept: list[np.ndarray] = []
    for box in boxes:
        if all(_overlap(box, other) < 0.8 for other in kept):
            kept.append(box)
    return kept


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    both = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return float(both / max(1e-9, (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - both))


def unlabelled_photos(
    source: PhotoSource, seed: int, report: Callable[[str], None]
) -> tuple[Unlabelled, int, int]:
    """Who is seen clearly in the photos. -> them, how many were kept and how many left out.

    Raises InvalidInputError where there is no folder or nobody is seen clearly.
    """
    if not source.folder.is_dir():
        hint = "Give the folder that holds the photos."
        raise InvalidInputError(f"There is no folder {source.folder}.", hint)
    rows: list[Inputs] = []
    dropped = 0
    for item in source.people():
        if item is None or not is_clear(item[0]):
            dropped += 1
            continue
        person, photo = item
        rows.append(observed_inputs([person], [person.camera or photo.camera]))
        if len(rows) % 100 == 0:
            report(f"{len(rows)} people kept, {dropped} left out")
        if len(rows) >= source.limit:
            break
    why = f"fewer than {MIN_CONFIDENT} confident keypoints, too small, or nobody"
    report(f"{len(rows)} people kept, {dropped} left out ({why})")
    if not rows:
        hint = "Give photos with larger, clearer people."
        raise InvalidInputError(f"Nobody in {source.folder} is seen clearly enough.", hint)
    return unlabelled_of(Inputs.cat(rows), seed), len(rows), dropped


def _photo(path: Path) -> Photo | None:
    try:
        return read_photo(path)
    except KinflowError:
        return None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{path} cannot be read as JSON: {error}", _COCO) from error
