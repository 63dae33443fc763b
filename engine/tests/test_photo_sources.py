"""Photos without 3D for the regressor: COCO's and OpenImages' layouts, and who is left out."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from drawn import drawn_people
from PIL import Image

from kinflow import Observation
from kinflow.errors import InvalidInputError
from kinflow.training.regressor.sources import (
    PhotoSource,
    coco_people,
    is_clear,
    open_images_people,
    polygon_mask,
    unlabelled_photos,
)
from kinflow.training.synthetic import PHOTO


@pytest.fixture(scope="module")
def people():
    return drawn_people()


def coco_person(index, points):
    """An annotation with a box for a polygon; the fourth keypoint missing, the fifth hidden."""
    low, high = points.min(0), points.max(0)
    flags = np.full(17, 2)
    flags[3], flags[4] = 0, 1
    return {
        "id": 10 + index,
        "image_id": index,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": 16,
        "keypoints": np.concatenate((points, flags[:, None]), 1).flatten().tolist(),
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "segmentation": [[low[0], low[1], high[0], low[1], high[0], high[1], low[0], high[1]]],
    }


@pytest.fixture
def coco(tmp_path, people):
    """A small data set in COCO's layout: three photos, a crowd, someone without keypoints, a photo
    that is not there."""
    (tmp_path / "val").mkdir()
    images = [{"id": 99, "file_name": "gone.jpg"}]
    for i in range(3):
        Image.new("RGB", (PHOTO, PHOTO), (90, 90, 90)).save(tmp_path / "val" / f"{i:012d}.jpg")
        images.append({"id": i, "file_name": f"{i:012d}.jpg", "width": PHOTO, "height": PHOTO})
    annotations = [coco_person(i, people.keypoints[i]) for i in range(3)]
    no_keypoints = {"num_keypoints": 0, "keypoints": [0] * 51, "bbox": [0, 0, 5, 5]}
    annotations += [
        {**annotations[0], **no_keypoints, "id": 1},
        {**annotations[0], "id": 2, "iscrowd": 1},
        {**annotations[0], "id": 3, "image_id": 99},
    ]
    path = tmp_path / "person_keypoints_val.json"
    data = {"images": images, "annotations": annotations, "categories": []}
    path.write_text(json.dumps(data, default=float))
    return path


def test_cocos_layout_is_read_with_masks_and_its_gaps_are_counted(tmp_path, people, coco):
    items = list(coco_people(coco, tmp_path / "val"))
    good = [item for item in items if item is not None]
    assert len(good) == 3 and items.count(None) == 3
    person, photo = good[0]
    np.testing.assert_allclose(person.keypoints, people.keypoints[0], atol=1e-3)
    assert person.confidence[3] == 0 and person.confidence[4] == pytest.approx(0.6)
    assert person.mask.any() and person.parts is not None
    assert photo.rgb.shape == (PHOTO, PHOTO, 3)
    source = PhotoSource(tmp_path / "val", coco, limit=100)
    unlabelled, kept, dropped = unlabelled_photos(source, 0, lambda text: None)
    assert (kept, dropped, len(unlabelled)) == (3, 3, 3) and (unlabelled.labels > 0).any()


def test_a_file_of_another_kind_is_an_error_that_names_the_right_one(tmp_path):
    (tmp_path / "bad.json").write_text("[]")
    with pytest.raises(InvalidInputError, match="person_keypoints"):
        list(coco_people(tmp_path / "bad.json", tmp_path))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInputError, match="OpenImages"):
        list(open_images_people(tmp_path / "bad.csv", tmp_path))


def test_run_lengths_of_a_mask_are_read_column_by_column():
    mask = polygon_mask({"size": [2, 3], "counts": [1, 2, 3]}, 2, 3)
    assert mask.tolist() == [[False, True, False], [True, False, False]]
    assert polygon_mask({"size": [2, 3], "counts": "abc"}, 2, 3) is None
    assert polygon_mask(None, 2, 3) is None


def test_open_images_layout_finds_the_person_in_its_box(tmp_path, sample_photo):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.open(sample_photo).convert("RGB").save(photos / "abc123.jpg")
    header = ["ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax"]
    header += ["IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"]
    box = ["0.1", "0.9", "0.05", "0.98"]
    rows = [
        ["abc123", "xclick", "/m/01g317", "1", *box, "0", "0", "0", "0", "0"],
        ["abc123", "xclick", "/m/04yx4", "1", *box, "0", "0", "0", "0", "0"],
        ["abc123", "xclick", "/m/0k4j", "1", *box, "0", "0", "0", "0", "0"],
        ["abc123", "xclick", "/m/01g317", "1", *box, "0", "0", "1", "0", "0"],
        ["gone", "xclick", "/m/01g317", "1", *box, "0", "0", "0", "0", "0"],
    ]
    path = tmp_path / "validation-annotations-bbox.csv"
    with open(path, "w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    items = list(open_images_people(path, photos))
    assert items.count(None) == 1 and len(items) == 2
    person, _ = next(item for item in items if item is not None)
    assert is_clear(person) and person.parts is not None


def test_unclear_people_are_left_out():
    points = np.stack((np.linspace(0, 100, 17), np.linspace(0, 200, 17)), 1)
    assert is_clear(Observation(points, np.full(17, 0.9)))
    assert not is_clear(Observation(points, np.full(17, 0.3)))
    assert not is_clear(Observation(points / 10, np.full(17, 0.9)))
