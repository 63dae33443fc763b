"""Keypoint files of others, in and out: OpenPose JSON, COCO keypoint JSON, our own observation.json; part maps as PNG."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..bodies.parts import NUM_PARTS
from ..errors import InvalidInputError
from ..bodies.keypoint_names import NAMES
from ..records import Observation

KeypointFormat = Literal["kinflow", "openpose", "coco"]
MAX_BYTES = 512 * 1024 * 1024
_OPENPOSE_SETS = {25: "body25", 17: "coco17"}


def read_observations(path: str | Path) -> list[Observation]:
    """People of a keypoint file of any of the three kinds, which is told from its content.

    `.photo` numbers the photos of a COCO file in the order of its image ids. Raises InvalidInputError naming what is
    wrong and where.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInputError(f"{path} is larger than {MAX_BYTES // 2**20} MiB.", "Split it.")
        data = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise InvalidInputError(
            f"{path} cannot be read as JSON: {error}", "Give a keypoint file."
        ) from error
    try:
        if isinstance(data, dict) and "people" in data:
            return [_openpose_person(person, index) for index, person in enumerate(data["people"])]
        if isinstance(data, dict) and "annotations" in data:
            images = {image["id"]: image for image in data.get("images", [])}
            return _coco_people(data["annotations"], images, path.parent)
        items = data if isinstance(data, list) else [data]
        if items and all(
            isinstance(item, dict) and "image_id" in item and "keypoints" in item for item in items
        ):
            return _coco_people(items, {}, path.parent)
        return [Observation.from_json(item) for item in items]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InvalidInputError):
            raise InvalidInputError(
                f"{path}: {error.message}", error.hint or "Check the file."
            ) from error
        raise InvalidInputError(
            f"{path}: a field is missing or of the wrong kind ({error}).",
            "Give OpenPose, COCO or kinflow JSON.",
        ) from error


def write_observations(
    path: str | Path, people: Sequence[Observation], kind: KeypointFormat = "kinflow"
) -> None:
    """Writes people of one photo (OpenPose) or of any number (COCO, kinflow). Keypoints are renamed to the format's set."""
    if kind == "kinflow":
        data: Any = [person.to_json() for person in people]
    elif kind == "openpose":
        rows = [_as_set(person, "body25") for person in people]
        data = {
            "version": 1.3,
            "people": [{"person_id": [-1], "pose_keypoints_2d": _triples(row)} for row in rows],
        }
    else:
        data = [
            {
                "image_id": person.photo,
                "category_id": 1,
                "keypoints": _triples(row),
                "score": round(float(row.confidence.mean()), 4),
            }
            for person, row in zip(people, (_as_set(p, "coco17") for p in people), strict=True)
        ]
    Path(path).write_text(json.dumps(data, indent=1), "utf-8")


def read_part_map(path: str | Path) -> np.ndarray:
    """A PNG whose grey values are part labels (`kinflow.bodies.parts`, 0 = none) -> (H, W) uint8."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            labels = np.array(image if image.mode in ("L", "P") else image.convert("L"))
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidInputError(
            f"{path} cannot be read as an image.", "Give a grey PNG of part labels."
        ) from error
    if labels.dtype != np.uint8 or labels.max(initial=0) > NUM_PARTS:
        raise InvalidInputError(
            f"{path} holds the value {int(labels.max(initial=0))}.",
            f"Part labels go from 0 to {NUM_PARTS}.",
        )
    return labels


def write_part_map(path: str | Path, parts: np.ndarray) -> None:
    """Part labels as a PNG with a palette, so that it can be looked at and read back."""
    from PIL import Image

    from ..drawing.shading import part_colours

    image = Image.fromarray(np.asarray(parts, np.uint8), "P")
    image.putpalette(part_colours(NUM_PARTS).astype(np.uint8).flatten().tolist())
    image.save(path, "PNG")


def _numbers(values: Any, count: int, where: str) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(array) != count or not np.isfinite(array).all():
        raise InvalidInputError(f"{where} should hold {count} finite numbers.", "Check the file.")
    return array.reshape(-1, 3)


def _openpose_person(person: dict, index: int) -> Observation:
    values = person["pose_keypoints_2d"]
    keypoint_set = _OPENPOSE_SETS.get(len(values) // 3)
    if keypoint_set is None:
        raise InvalidInputError(
            f"person {index} has {len(values) // 3} keypoints.", "OpenPose's BODY_25 is understood."
        )
    table = _numbers(values, 3 * len(NAMES[keypoint_set]), f"person {index}")
    return Observation(table[:, :2], np.clip(table[:, 2], 0, 1), keypoint_set)


def _coco_people(items: list, images: dict, folder: Path) -> list[Observation]:
    order = {
        image: number
        for number, image in enumerate(sorted({item["image_id"] for item in items}, key=str))
    }
    people = []
    for index, item in enumerate(items):
        if not item.get("keypoints") or item.get("num_keypoints") == 0:
            continue
        table = _numbers(item["keypoints"], 51, f"annotation {index}")
        # annotations say 0 absent, 1 hidden, 2 seen; results say a score
        flags = set(np.unique(table[:, 2])) <= {0.0, 1.0, 2.0} and "score" not in item
        confidence = (
            np.choose(table[:, 2].astype(int), (0.0, 0.5, 1.0))
            if flags
            else np.clip(table[:, 2], 0, 1)
        )
        box = item.get("bbox")
        corners = (
            None
            if box is None
            else np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], float)
        )
        name = images.get(item["image_id"], {}).get("file_name")
        shown = str(folder / name) if name else None
        people.append(
            Observation(
                table[:, :2],
                confidence,
                "coco17",
                box=corners,
                image_path=shown,
                photo=order[item["image_id"]],
            )
        )
    return people


_DERIVED = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}
_SAME_PLACE = {"big_toe": "foot_index"}


def _as_set(person: Observation, keypoint_set: str) -> Observation:
    """The person's keypoints under another set's names; what the person's own set lacks has confidence 0."""
    if person.keypoint_set == keypoint_set:
        return person
    own = {name: i for i, name in enumerate(NAMES[person.keypoint_set])}
    points, confidence = np.zeros((len(NAMES[keypoint_set]), 2)), np.zeros(len(NAMES[keypoint_set]))
    for row, name in enumerate(NAMES[keypoint_set]):
        for mine, theirs in _SAME_PLACE.items():
            if name not in own and name.endswith(mine):
                name = name.replace(mine, theirs)
        sources = [name] if name in own else list(_DERIVED.get(name, ()))
        if sources and all(s in own for s in sources):
            index = [own[s] for s in sources]
            points[row], confidence[row] = (
                person.keypoints[index].mean(0),
                person.confidence[index].min(),
            )
    return replace(
        person,
        keypoints=points,
        confidence=confidence,
        keypoint_set=keypoint_set,
        world_landmarks=None,
    )


def _triples(person: Observation) -> list[float]:
    rows = np.concatenate((person.keypoints, person.confidence[:, None]), 1)
    rows[~person.usable] = 0
    return [round(float(v), 4) if math.isfinite(v) else 0.0 for v in rows.flatten()]
