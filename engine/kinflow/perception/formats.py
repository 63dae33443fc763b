"""Keypoint files of others, in and out: OpenPose, COCO and our own JSON; part maps as PNG."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..bodies.keypoint_names import NAMES
from ..bodies.parts import NUM_PARTS
from ..errors import InvalidInputError
from ..records import Observation
from ..userfiles import check_size, parsing, read_bytes, replacing
from .photos import open_image

KeypointFormat = Literal["kinflow", "openpose", "coco"]
MAX_MB, MAX_VALUES_MB = 256, 2048
_OPENPOSE_SETS = {25: "body25", 17: "coco17"}


def read_observations(path: str | os.PathLike) -> list[Observation]:
    """People of a keypoint file of any of the three kinds, which is told from its content.

    `.photo` numbers the photos of a COCO file in the order of its image ids. Raises
    InvalidInputError naming what is wrong and where.
    """
    path = Path(path)
    data = _read_json(path)
    try:
        return _people(data, path.parent)
    except InvalidInputError as error:
        hint = error.hint or "Check the file."
        raise InvalidInputError(f"{path}: {error.message}", hint) from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InvalidInputError(
            f"{path}: a field is missing or of the wrong kind ({type(error).__name__}: {error}).",
            "Give OpenPose, COCO or kinflow JSON.",
        ) from error


def _read_json(path: Path) -> Any:
    hint = "Give a keypoint file."
    raw = read_bytes(path, MAX_MB, InvalidInputError, hint)
    # each list and table of two letters fills a hundred bytes
    size = 100 * (raw.count(b"[") + raw.count(b"{")) + 32 * raw.count(b",")
    check_size(size, MAX_VALUES_MB, f"{path}, as lists and numbers,", InvalidInputError)
    with parsing(path, hint, InvalidInputError, "JSON"):
        return json.loads(raw.decode("utf-8-sig"))


def _people(data: Any, folder: Path) -> list[Observation]:
    if isinstance(data, dict) and "people" in data:
        return [_openpose_person(person, index) for index, person in enumerate(data["people"])]
    if isinstance(data, dict) and "annotations" in data:
        images = {image["id"]: image for image in data.get("images", [])}
        return _coco_people(data["annotations"], images, folder)
    items = data if isinstance(data, list) else [data]
    if items and all(isinstance(i, dict) and {"image_id", "keypoints"} <= i.keys() for i in items):
        return _coco_people(items, {}, folder)
    return [Observation.from_json(item) for item in items]


def write_observations(
    path: str | os.PathLike, people: Sequence[Observation], kind: KeypointFormat = "kinflow"
) -> None:
    """Writes people of one photo (OpenPose) or of any number (COCO, kinflow).

    Keypoints are renamed to the format's set. Raises InvalidInputError for a full disk or the like.
    """
    if kind == "kinflow":
        data: Any = [person.to_json() for person in people]
    elif kind == "openpose":
        rows = [_triples(_as_set(person, "body25")) for person in people]
        entries = [{"person_id": [-1], "pose_keypoints_2d": row} for row in rows]
        data = {"version": 1.3, "people": entries}
    else:
        data = [_coco_entry(_as_set(person, "coco17")) for person in people]
    with replacing(path, InvalidInputError) as temporary:
        temporary.write_text(json.dumps(data, indent=1), "utf-8")


def read_part_map(path: str | os.PathLike) -> np.ndarray:
    """A PNG whose grey values are part labels (`kinflow.bodies.parts`, 0 = none) -> (H, W) uint8.

    Raises InvalidInputError.
    """
    with open_image(path, InvalidInputError) as image:
        labels = np.array(image if image.mode in ("L", "P") else image.convert("L"))
    if labels.dtype != np.uint8 or labels.max(initial=0) > NUM_PARTS:
        why = f"{path} holds the value {int(labels.max(initial=0))}."
        raise InvalidInputError(why, f"Part labels go from 0 to {NUM_PARTS}.")
    return labels


def write_part_map(path: str | os.PathLike, parts: np.ndarray) -> None:
    """Part labels as a PNG with a palette, to be looked at and read back."""
    from PIL import Image

    from ..drawing.shading import part_colours

    image = Image.fromarray(np.asarray(parts, np.uint8), "P")
    image.putpalette(part_colours(NUM_PARTS).astype(np.uint8).flatten().tolist())
    with replacing(path, InvalidInputError) as temporary:
        image.save(temporary, "PNG")


def _numbers(values: Any, count: int, where: str) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(array) != count or not (np.abs(array) < 1e9).all():
        raise InvalidInputError(f"{where} should hold {count} finite numbers.", "Check the file.")
    return array.reshape(-1, 3)


def _coco_entry(person: Observation) -> dict[str, Any]:
    score = round(float(person.confidence.mean()), 4)
    entry = {"image_id": person.photo, "category_id": 1}
    return entry | {"keypoints": _triples(person), "score": score}


def _openpose_person(person: dict, index: int) -> Observation:
    values = person["pose_keypoints_2d"]
    keypoint_set = _OPENPOSE_SETS.get(len(values) // 3)
    if keypoint_set is None:
        why = f"person {index} has {len(values) // 3} keypoints."
        raise InvalidInputError(why, "OpenPose's BODY_25 is understood.")
    table = _numbers(values, 3 * len(NAMES[keypoint_set]), f"person {index}")
    return Observation(table[:, :2], np.clip(table[:, 2], 0, 1), keypoint_set)


def _coco_people(items: list, images: dict, folder: Path) -> list[Observation]:
    numbers = enumerate(sorted({item["image_id"] for item in items}, key=str))
    order = {image: number for number, image in numbers}
    people = []
    for index, item in enumerate(items):
        if not item.get("keypoints") or item.get("num_keypoints") == 0:
            continue
        table = _numbers(item["keypoints"], 51, f"annotation {index}")
        # annotations say 0 absent, 1 hidden, 2 seen; results say a score
        flags = set(np.unique(table[:, 2])) <= {0.0, 1.0, 2.0} and "score" not in item
        confidence = 0.5 * table[:, 2] if flags else np.clip(table[:, 2], 0, 1)
        box = item.get("bbox")
        if box is not None:
            box = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]], float)
        name = images.get(item["image_id"], {}).get("file_name")
        places = {"image_path": str(folder / name) if name else None, "box": box}
        photo = order[item["image_id"]]
        people.append(Observation(table[:, :2], confidence, "coco17", photo=photo, **places))
    return people


_DERIVED = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}
_SAME_PLACE = {"big_toe": "foot_index"}


def _as_set(person: Observation, keypoint_set: str) -> Observation:
    """The person's keypoints under another set's names; what is not there has confidence 0."""
    if person.keypoint_set == keypoint_set:
        return person
    index_of = {name: i for i, name in enumerate(NAMES[person.keypoint_set])}
    points, confidence = np.zeros((len(NAMES[keypoint_set]), 2)), np.zeros(len(NAMES[keypoint_set]))
    for row, name in enumerate(NAMES[keypoint_set]):
        for mine, theirs in _SAME_PLACE.items():
            if name not in index_of and name.endswith(mine):
                name = name.replace(mine, theirs)
        sources = [name] if name in index_of else list(_DERIVED.get(name, ()))
        if sources and all(s in index_of for s in sources):
            index = [index_of[s] for s in sources]
            points[row] = person.keypoints[index].mean(0)
            confidence[row] = person.confidence[index].min()
    new: dict[str, Any] = {"keypoints": points, "confidence": confidence}
    # what neither OpenPose nor COCO holds
    new |= dict.fromkeys(("world_landmarks", "sigma", "either_side"))
    return replace(person, keypoint_set=keypoint_set, **new)


def _triples(person: Observation) -> list[float]:
    rows = np.concatenate((person.keypoints, person.confidence[:, None]), 1)
    rows[~person.usable] = 0
    return [round(float(v), 4) if math.isfinite(v) else 0.0 for v in rows.flatten()]
