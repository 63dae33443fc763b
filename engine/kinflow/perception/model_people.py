"""People by the user's own ONNX models: boxes, then keypoints in each, then parts."""

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import DetectorError
from ..records import Observation
from .heads import find_boxes, find_keypoints, find_parts
from .models import read_card
from .networks import Network
from .people import inside
from .photos import Photo

CONFIDENT = 0.3
MIN_KEYPOINTS = 3


def load_models(paths: Sequence[str | os.PathLike]) -> dict[str, Network]:
    """Networks by kind ("boxes", "keypoints", "parts"). Raises DetectorError for two of a kind."""
    networks: dict[str, Network] = {}
    for path in paths:
        card = read_card(os.fspath(path))
        if card.kind in networks:
            why = f"{path} is a second model of kind '{card.kind}'."
            raise DetectorError(why, "Give at most one of each kind.")
        networks[card.kind] = Network(card)
    return networks


def observe_with_models(
    photo: Photo, networks: dict[str, Network], boxes: np.ndarray | None
) -> list[Observation]:
    """People by the user's keypoint model: in given boxes, in a box model's, or in the photo."""
    rgb, scale, model = photo.rgb, photo.scale, networks["keypoints"]
    size = np.array(rgb.shape[1::-1])
    limits = [photo.camera.width, photo.camera.height] * 2
    if boxes is not None:
        boxes = np.asarray(boxes, float).reshape(-1, 4) * scale
    elif "boxes" in networks:
        boxes, _ = find_boxes(networks["boxes"], rgb)
    else:
        boxes = np.array([[0, 0, *size]], float)
    people = []
    for box in boxes:
        points, confidence = find_keypoints(model, rgb, box)
        confidence = np.where(inside(points, size), confidence, 0)
        if (confidence > CONFIDENT).sum() < MIN_KEYPOINTS:
            continue
        seen_box, known = np.clip(box / scale, 0, limits), model.card.keypoint_set
        person = Observation(
            points / scale, confidence, known, photo.camera, seen_box, image_path=photo.path
        )
        if "parts" in networks:
            person = with_model_parts(photo, person, networks["parts"])
        people.append(person)
    return sorted(people, key=lambda p: -float(p.confidence.mean()) * p.height_px())


def with_model_parts(photo: Photo, person: Observation, network: Network) -> Observation:
    """The person with part labels of the user's model, in the full photo's pixels."""
    assert person.box is not None
    labels = photo.full_size(find_parts(network, photo.rgb, person.box * photo.scale))
    return replace(person, parts=labels, mask=labels > 0 if person.mask is None else person.mask)
