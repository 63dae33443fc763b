"""Keypoint files of others come in and go out unharmed; broken ones get one plain sentence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kinflow import KinflowError, Observation
from kinflow.perception.formats import (
    read_observations,
    read_part_map,
    write_observations,
    write_part_map,
)


def person(keypoint_set: str, count: int, seed: int = 0) -> Observation:
    random = np.random.default_rng(seed)
    return Observation(
        random.uniform(0, 500, (count, 2)), random.uniform(0.2, 1, count), keypoint_set
    )


@pytest.mark.parametrize(
    ("kind", "keypoint_set", "count"),
    [("openpose", "body25", 25), ("coco", "coco17", 17), ("kinflow", "blazepose33", 33)],
)
def test_what_is_written_is_read_back(tmp_path, kind, keypoint_set, count):
    people = [person(keypoint_set, count, seed) for seed in range(3)]
    write_observations(tmp_path / "people.json", people, kind)
    back = read_observations(tmp_path / "people.json")
    for a, b in zip(people, back, strict=True):
        assert b.keypoint_set == keypoint_set
        np.testing.assert_allclose(b.keypoints, a.keypoints, atol=1e-3)
        np.testing.assert_allclose(b.confidence, a.confidence, atol=1e-3)


def test_blazepose_goes_out_as_openpose_with_neck_between_the_shoulders(tmp_path):
    one = person("blazepose33", 33)
    # as the detector gives it
    one = replace(one, sigma=np.ones(33), either_side=np.zeros(33, bool))
    write_observations(tmp_path / "p.json", [one], "openpose")
    back = read_observations(tmp_path / "p.json")[0]
    np.testing.assert_allclose(back.keypoints[1], one.keypoints[[11, 12]].mean(0), atol=1e-3)
    np.testing.assert_allclose(back.keypoints[4], one.keypoints[16], atol=1e-3)


def test_coco_annotations_give_visibility_boxes_and_photo_names(tmp_path):
    points = np.zeros((17, 3))
    points[:, :2], points[5:, 2], points[5, 2] = 100, 2, 1
    data = {
        "images": [{"id": 7, "file_name": "a.jpg"}],
        "annotations": [
            {
                "image_id": 7,
                "keypoints": points.flatten().tolist(),
                "bbox": [10, 20, 30, 40],
                "num_keypoints": 12,
            },
            {"image_id": 7, "keypoints": [0] * 51, "num_keypoints": 0, "bbox": [0, 0, 1, 1]},
        ],
    }
    (tmp_path / "coco.json").write_text(json.dumps(data))
    (one,) = read_observations(tmp_path / "coco.json")
    assert one.image_path == str(tmp_path / "a.jpg")
    assert one.confidence[:7].tolist() == [0, 0, 0, 0, 0, 0.5, 1]
    assert one.box.tolist() == [10, 20, 40, 60]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "people",
                    "annotations",
                    "keypoints",
                    "image_id",
                    "pose_keypoints_2d",
                    "images",
                    "id",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_any_json_gives_people_or_a_typed_error(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("j") / "x.json"
    path.write_text(json.dumps(value))
    try:
        found = read_observations(path)
    except KinflowError as error:
        assert error.message and error.hint
    else:
        assert isinstance(found, list)


def test_part_maps_are_read_back_and_wrong_values_refused(tmp_path):
    parts = np.random.default_rng(0).integers(0, 15, (40, 30)).astype(np.uint8)
    write_part_map(tmp_path / "parts.png", parts)
    assert (read_part_map(tmp_path / "parts.png") == parts).all()
    Image.fromarray(np.full((20, 20), 77, np.uint8)).save(tmp_path / "wrong.png")
    with pytest.raises(KinflowError, match="77"):
        read_part_map(tmp_path / "wrong.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(KinflowError, match="cannot be read"):
        read_part_map(tmp_path / "text.png")
