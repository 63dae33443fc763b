"""Body parts from mask and keypoints: better than the nearest limb, and only ever on the mask."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from kinflow import Observation
from kinflow.perception.nearest_limb import nearest_limb
from kinflow.perception.part_labels import NETWORK, label_parts
from kinflow.training.part_network import PartNetwork, export_part_network, mean_iou
from kinflow.training.synthetic import (
    CROP,
    Crowd,
    DetectorNoise,
    corrupt_keypoints,
    make_people,
)

SCALE = 4


@pytest.fixture(scope="module")
def people(body):
    return make_people(body, Crowd(24, 777))


def observation(people, index) -> Observation:
    parts = cv2.resize(
        people.parts[index], None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_NEAREST
    )
    return Observation(
        SCALE * people.crop_keypoints()[index], np.ones(17), "coco17", mask=parts > 0
    )


def test_the_shipped_network_is_small():
    assert NETWORK.stat().st_size < 3_000_000


def test_an_exported_network_gives_in_opencv_what_it_gives_in_torch(tmp_path):
    pytest.importorskip("onnx")
    torch.manual_seed(0)
    network, planes = PartNetwork(), torch.rand(1, 18, CROP, CROP)
    export_part_network(network, tmp_path / "part-network.onnx")
    assert network.training
    loaded = cv2.dnn.readNetFromONNX(str(tmp_path / "part-network.onnx"))
    loaded.setInput(planes.numpy())
    assert np.abs(loaded.forward() - network(planes).detach().numpy()).max() < 1e-6


def test_it_beats_the_nearest_limb_by_a_detectors_keypoints_on_people_it_never_saw(people):
    random = np.random.default_rng(0)
    points, confidence = corrupt_keypoints(people.crop_keypoints(), DetectorNoise(), random)
    ours, baseline = [], []
    for index, (at, sure) in enumerate(zip(points, confidence, strict=True)):
        person = replace(observation(people, index), keypoints=SCALE * at, confidence=sure)
        ours.append(label_parts(person).parts[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE])
        baseline.append(nearest_limb(people.parts[index] > 0, at, sure))
    network, limb = (mean_iou(np.stack(labels), people.parts) for labels in (ours, baseline))
    assert network > limb + 0.1 and network > 0.6, (network, limb)


def test_labels_lie_on_the_mask_alone_and_sides_are_told_apart(people):
    person = observation(people, 0)
    labelled = label_parts(person)
    assert not labelled.parts[~person.mask].any()
    swap = [i + 1 if i % 2 else i - 1 for i in range(1, 17)]
    other = Observation(person.keypoints[[0, *swap]], person.confidence, "coco17", mask=person.mask)
    mirrored = label_parts(other).parts
    both = (labelled.parts > 2) & (mirrored > 2)
    assert (labelled.parts[both] != mirrored[both]).mean() > 0.5


def test_a_person_without_a_mask_stays_as_it_is(people):
    bare = Observation(people.crop_keypoints()[0], np.ones(17), "coco17")
    assert label_parts(bare) is bare


def test_drawn_keypoints_lie_on_the_drawn_body(people):
    on = []
    for index in range(len(people)):
        points = people.crop_keypoints()[index][5:].astype(int).clip(0, CROP - 1)
        near = cv2.dilate((people.parts[index] > 0).astype(np.uint8), np.ones((5, 5)))
        on.append(near[points[:, 1], points[:, 0]].mean())
    assert np.mean(on) > 0.95
