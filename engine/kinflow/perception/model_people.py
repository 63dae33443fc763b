"""People by the user's own ONNX models: boxes, then keypoints in each, then parts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from ..errors import DetectorError
from ..records import Observation
from .heads import find_boxes, find_keypoints, find_parts
from .models import read_card
from .networks import Network
from .photos import Photo

CONFIDENT = 0.3
MIN_KEYPOINTS = 3


def load_models(paths: Sequence[str | os.PathLike]) -> dict[str, Network]:
    """Networks by kind ("boxes", "keypoints", "parts"). Raises DetectorError for two of a kind."""
    networks: dict[str, Network] = {}
    for path in paths:
        card = read_card(os.fspath(path))
        if card.kind in networks:
            raise DetectorError(
                f"{path} is a second model of kind '{card.kind}'.", "Give at most one of each kind."
            )
        networks[card.kind] = Network(card)
    return networks


def observe_with_models(
    photo: Photo, networks: dict[str, Network], boxes: np.ndarray | None
) -> list[Observation]:
    """People by the user's keypoint model: in given boxes, in a box model's, or in the photo."""
    rgb, scale = photo.rgb, photo.scale
    if boxes is not None:
        boxes = np.asarray(boxes, float).reshape(-1, 4) * scale
    elif "boxes" in networks:
        boxes, _ = find_boxes(networks["boxes"], rgb)
    else:
        boxes = np.array([[0, 0, rgb.shape[1], rgb.shape[0]]], float)
    people = []
    for box in boxes:
        points, confidence = find_keypoints(networks["keypoints"], rgb, box)
        inside = (points >= 0).all(1) & (points < (rgb.shape[1], rgb.shape[0])).all(1)
        confidence = np.where(inside, confidence, 0)
        if (confidence > CONFIDENT).sum() < MIN_KEYPOINTS:
            continue
        limits = [photo.camera.width, photo.camera.height] * 2
        person = Observation(
            points / scale,
            confidence,
            networks["keypoints"].card.keypoint_set,
            photo.camera,
            np.clip(box / scale, 0, limits),
            image_path=photo.path,
        )
        people.append(
            with_model_parts(photo, person, networks["parts"]) if "parts" in networks else person
        )
    return sorted(people, key=lambda p: -float(p.confidence.mean()) * p.height_px())


def with_model_parts(photo: Photo, person: Observation, network: Network) -> Observation:
    """The person with part labels of the user's model, in the full photo's pixels."""
    assert person.box is not None
    labels = find_parts(network, photo.rgb, person.box * photo.scale)
    if photo.scale != 1:
        labels = cv2.resize(
            labels, (photo.camera.width, photo.camera.height), interpolation=cv2.INTER_NEAREST
        )
    return replace(
        person, parts=labels, mask=person.mask if person.mask is not None else labels > 0
    )
