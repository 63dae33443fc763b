"""Photos of one colour with a keypoint file each, so that no detector is needed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from kinflow import Camera
from kinflow.bodies.keypoint_names import COCO17
from kinflow.core.skeleton import JOINT_INDEX

SAMPLE = Path(__file__).parents[2] / "blender_tests" / "samples" / "punch.json"


def write_people(file: Path, count: int, seed: int = 0, confidence: float = 0.9) -> None:
    """A COCO keypoint file with `count` noisy copies of the sample's person, side by side."""
    truth = json.loads(SAMPLE.read_text())
    camera, joints = Camera(**truth["camera"]), np.array(truth["joints"])
    random = np.random.default_rng(seed)
    people = []
    for number in range(count):
        triples = []
        for name in COCO17:
            if name in JOINT_INDEX:
                x, y = camera.project(joints[JOINT_INDEX[name]]) + random.normal(0, 2, 2)
                triples += [float(x) + 20 * number, float(y), confidence]
            else:
                triples += [0.0, 0.0, 0.0]
        people.append({"image_id": 1, "category_id": 1, "keypoints": triples, "score": 1.0})
    file.write_text(json.dumps(people))


def write_photo(file: Path, grey: int = 90) -> None:
    """A photo of the sample's size."""
    camera = json.loads(SAMPLE.read_text())["camera"]
    Image.new("RGB", (camera["width"], camera["height"]), (grey, 90, 120)).save(file)


def make_crowd(folder: Path, count: int) -> tuple[list[Path], list[Path]]:
    """-> `count` photos and their keypoint files, of one person each."""
    photos = [folder / f"{number:02d}.png" for number in range(count)]
    files = [photo.with_suffix(".json") for photo in photos]
    for number, (photo, file) in enumerate(zip(photos, files, strict=True)):
        write_photo(photo, number)
        write_people(file, 1, number)
    return photos, files
