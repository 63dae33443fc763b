"""Anchors, suppression, regions, landmarks and views: each piece of the detector by itself."""

from __future__ import annotations

import io
import math
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from kinflow.errors import DetectorError
from kinflow.perception import detector_files
from kinflow.perception.landmarks import MIRRORED, Look, look, refined, turn_about_depth
from kinflow.perception.people import agreement
from kinflow.perception.proposals import Source, face_region, find_boxes, same_region, tiles
from kinflow.perception.regions import Pyramid, Region, body_region
from kinflow.perception.ssd import (
    FACE,
    POSE,
    Boxes,
    decode_boxes,
    overlap,
    sigmoid,
    ssd_anchors,
    weighted_suppression,
)
from kinflow.perception.views import full_mask, geometric_median, summary, view

# MediaPipe 1.2.2's Pose Landmarker (full) on the sample photo, px: x, y of the 33 keypoints
MEDIAPIPE = """
320.0 166.5 324.9 158.9 326.7 159.4 328.3 160.0 316.7 157.1 312.8 156.0 308.9 155.1 327.3 164.7
298.3 156.5 319.3 177.8 309.3 174.3 314.3 232.7 251.4 193.8 283.9 287.0 244.4 233.3 320.0 304.8
323.1 207.9 334.7 312.8 341.7 198.2 339.2 308.1 342.2 194.8 334.0 304.7 336.4 197.3 264.4 341.5
216.2 337.6 281.7 446.5 215.3 444.7 273.8 550.3 220.6 536.7 264.2 561.8 223.6 550.7 296.2 584.3
206.3 565.8
"""


@pytest.fixture(scope="module")
def networks():
    return detector_files.needed()


@pytest.fixture(scope="module")
def sample(sample_photo):
    return Pyramid(np.array(Image.open(sample_photo).convert("RGB")))


@pytest.fixture(scope="module")
def sample_region(networks, sample):
    whole = tiles(sample.size, 1.0)[0]
    points = find_boxes(sample, whole, Source(networks[0], POSE, 0.5, ())).points
    return body_region(points[0, 0], points[0, 1])


def test_anchors_are_those_of_the_networks():
    assert ssd_anchors(POSE).shape == (2254, 2) and ssd_anchors(FACE).shape == (2304, 2)
    np.testing.assert_array_equal(
        ssd_anchors(POSE)[[0, 1, 2, -1]], [[4, 4], [4, 4], [12, 4], [208] * 2]
    )
    assert (ssd_anchors(FACE) > 0).all() and (ssd_anchors(FACE) < 192).all()


def test_boxes_are_offsets_from_their_anchors():
    raw = np.array([[2.0, -4, 10, 20, 1, 1, 3, 3], [0] * 8])
    found = decode_boxes(raw, np.array([3.0, -3]), np.array([[50.0, 60], [1, 1]]), 0.5)
    np.testing.assert_allclose(found.box, [[47, 46, 57, 66]])
    np.testing.assert_allclose(found.points, [[[51, 61], [53, 63]]])
    np.testing.assert_allclose(found.score, sigmoid(3.0))


def test_overlapping_boxes_become_their_mean_by_score():
    box = np.array([[0, 0, 10, 10], [50, 50, 60, 60], [2, 0, 12, 10]], float)
    found = Boxes(box, box.reshape(3, 2, 2), np.array([0.6, 0.7, 0.2]))
    kept = weighted_suppression(found)
    np.testing.assert_allclose(kept.score, [0.7, 0.6])
    np.testing.assert_allclose(kept.box[1], [0.5, 0, 10.5, 10])
    assert len(weighted_suppression(found.pick(np.array([], int))).score) == 0
    np.testing.assert_allclose(overlap(box[0], box), [1, 0, 80 / 120])


@pytest.mark.parametrize(("end", "angle"), [((50, 10), 0), ((90, 50), 90), ((10, 50), -90)])
def test_a_body_region_has_the_head_on_top(end, angle):
    region = body_region(np.array([50.0, 50]), np.array(end, float))
    assert region.side == pytest.approx(100) and math.degrees(region.angle) == pytest.approx(angle)
    np.testing.assert_allclose(region.to_photo(np.array([0.5, 0.1])), end, atol=1e-9)


def test_a_face_leads_to_the_body_below_it():
    points = np.array([[40, 40], [60, 40], [50, 50], [50, 60], [35, 45], [65, 45]], float)
    upright = face_region(points, np.array([30, 30, 70, 70], float))
    assert upright.angle == pytest.approx(0) and upright.centre[1] > 150
    flipped = face_region(100 - points, np.array([30, 30, 70, 70], float))
    assert abs(flipped.angle) == pytest.approx(math.pi) and flipped.centre[1] < -50


@pytest.mark.parametrize("size", [300, 2400])
def test_a_crop_shows_a_dot_where_the_region_says(size):
    photo = np.zeros((size, size + 50, 3), np.uint8)
    x, y, r = round(0.45 * size), round(0.6 * size), size // 60
    photo[y - r : y + r, x - r : x + r] = 255
    region = Region(np.array([size / 2, size / 2]), 0.8 * size, 0.5)
    crop = Pyramid(photo).crop(region, 256)[..., 0].astype(float)
    rows, columns = np.mgrid[:256, :256] + 0.5
    middle = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
    np.testing.assert_allclose(region.to_photo(middle / 256), [x, y], atol=0.005 * size)
    inside = region.transform(256) @ (x, y, 1)
    np.testing.assert_allclose(inside, middle, atol=1.0)


def test_tiles_cover_the_photo_and_a_rim_is_about_its_middle():
    size = np.array([900, 600])
    (rim,) = tiles(size, 1.4)
    np.testing.assert_allclose((*rim.centre, rim.side), (450, 300, 1260))
    regions = tiles(size, 0.4)
    corners = np.array([[r.centre - r.side / 2, r.centre + r.side / 2] for r in regions])
    np.testing.assert_allclose([corners.min((0, 1)), corners.max((0, 1))], [[0, 0], size])
    assert same_region(regions[0], regions[0].changed(1.1, 0.1))
    assert not any(same_region(a, b) for a in regions for b in regions if a is not b)


def test_a_heat_map_that_is_sure_refines_its_landmark():
    heat = np.full((64, 64, 3), -20.0, np.float32)
    heat[20, 31, 0] = heat[20, 31, 2] = 5
    marks = np.zeros((3, 5))
    marks[:, :2] = [[120, 84], [120, 84], [400, 84]]
    result = refined(marks, heat)
    np.testing.assert_allclose(result[0, :2], [124, 80], atol=0.1)
    np.testing.assert_array_equal(result[1:], marks[1:])


def test_each_keypoint_is_its_mirror_images_mirror_image():
    np.testing.assert_array_equal(MIRRORED[MIRRORED], np.arange(33))
    assert (MIRRORED[1:] != np.arange(1, 33)).all() and MIRRORED[0] == 0


def test_3d_landmarks_turn_with_their_region():
    region = Region(np.zeros(2), 1.0, 0.7)
    flat = np.array([[0.3, -0.2], [0.1, 0.4]])
    turned = turn_about_depth(np.column_stack((flat, [5, 6])), region.angle)
    np.testing.assert_allclose(turned[:, :2], region.to_photo(flat + 0.5))
    np.testing.assert_array_equal(turned[:, 2], [5, 6])


def test_landmarks_are_mediapipes_to_about_a_pixel_of_the_crop(networks, sample, sample_region):
    expected = np.array(MEDIAPIPE.split(), float).reshape(33, 2)
    found = look(sample, sample_region, networks[2])
    apart = np.linalg.norm(found.points - expected, axis=1) * 256 / sample_region.side
    assert found.score > 0.95 and apart.mean() < 0.6 and apart.max() < 1.25


def test_a_mirrored_look_sees_the_same_sides(networks, sample, sample_region):
    plain = look(sample, sample_region, networks[2])
    mirrored = look(sample, sample_region, networks[2], mirrored=True)
    apart = np.linalg.norm(plain.points - mirrored.points, axis=1) / sample_region.side
    assert np.median(apart) < 0.01
    assert np.abs(sigmoid(plain.mask) - sigmoid(mirrored.mask)).mean() < 0.02
    assert np.abs(plain.world - mirrored.world)[:, :2].mean() < 0.05


def looks_at(points, masks=None):
    region = Region(np.array([100.0, 100]), 200.0)
    masks = [np.ones((256, 256))] * len(points) if masks is None else masks
    ones = np.ones(33)
    return [
        Look(region, p, ones, ones, np.zeros((33, 3)), m, 1.0, region)
        for p, m in zip(points, masks, strict=True)
    ]


def test_spread_is_how_far_the_views_are_from_where_most_of_them_agree():
    points = np.repeat(np.random.default_rng(0).uniform(0, 200, (1, 33, 2)), 10, axis=0)
    points[:, 5, 0] += np.tile([-4, 4], 5)
    points[7:, 6, 0] += 100
    person = summary(looks_at(points))
    rest = np.delete(np.arange(33), (5, 6))
    assert person.size == pytest.approx(np.ptp(points[0], axis=0).max(), abs=20)
    np.testing.assert_allclose(person.points[rest], points[0, rest])
    np.testing.assert_allclose(person.points[6], points[0, 6], atol=0.1)
    np.testing.assert_allclose(person.spread[[5, 6]] * person.size, [4, 0], atol=0.3)
    np.testing.assert_allclose(person.unrest[[5, 6]] * person.size, [4, 30], rtol=0.1)
    assert person.spread[rest].max() < 1e-9


def test_the_geometric_median_lets_go_of_outliers():
    ring = np.array([[1, 0], [-1, 0], [0, 1], [0, -1.0]])
    np.testing.assert_allclose(geometric_median(ring + 3), [3, 3], atol=1e-9)
    many = np.concatenate((np.zeros((6, 2)), np.full((4, 2), 100.0)))
    assert np.abs(geometric_median(many)).max() < 0.1


def test_masks_of_views_are_averaged_and_come_back_in_the_photo():
    nothing = np.full((256, 256), -30.0)
    plane = nothing.copy()
    plane[64:192, 128:] = 30
    person = summary(looks_at(np.zeros((2, 33, 2)), [plane, nothing]))
    mask = full_mask(person, 400, 400, 2.0)
    assert mask.shape == (400, 400) and mask.max() == 128
    ys, xs = np.nonzero(mask > 64)
    np.testing.assert_allclose(
        [xs.min(), xs.max(), ys.min(), ys.max()], [200, 399, 100, 299], atol=1
    )


def test_a_body_agrees_with_itself_turned_about_and_not_with_its_neighbour():
    points = np.random.default_rng(1).uniform(0, 100, (33, 2))
    known = np.ones(33, bool)
    assert agreement(points, points + 2, known) == 1
    assert agreement(points, points[MIRRORED], known) == 1
    assert agreement(points, points + np.array([60, 0]), known) < 0.3
    assert agreement(points, points, ~known) == 0


def test_nobody_is_seen_steadily_in_noise(networks):
    noise = np.random.default_rng(2).integers(0, 255, (300, 300, 3), np.uint8)
    region = Region(np.array([150.0, 150]), 280.0)
    person = view(Pyramid(noise), region, networks[2], lambda first: True)
    assert person.score < 0.5 or np.median(person.spread) > 0.05
    assert len(view(Pyramid(noise), region, networks[2], lambda first: False).looks) == 2


@pytest.fixture
def own_folder(tmp_path, monkeypatch, networks):
    """A folder of networks of its own, in which the usual ones lie."""
    monkeypatch.setenv("KINFLOW_CACHE", str(tmp_path))
    detector_files.detector_folder().mkdir()
    for path in networks:
        (detector_files.detector_folder() / path.name).write_bytes(path.read_bytes())
    return tmp_path


def packed(kind: str, data: bytes) -> bytes:
    stream = io.BytesIO()
    if kind == ".task":
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("pose_landmarks_detector.tflite", data)
    elif kind == ".tgz":
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            entry = tarfile.TarInfo("package/pose_landmark_heavy.tflite")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    else:
        stream.write(data)
    return stream.getvalue()


@pytest.mark.parametrize("kind", [".task", ".tgz", ".tflite"])
def test_a_heavy_network_is_taken_from_a_file_and_noted(own_folder, networks, kind):
    assert detector_files.chosen() == "full"
    # as large as the heavy one, and of its shape
    data = networks[2].read_bytes() + bytes(4 << 20)
    file = own_folder / f"network{kind}"
    file.write_bytes(packed(kind, data))
    target = detector_files.set_up("heavy", file, lambda line: None)
    assert target.read_bytes() == data and detector_files.chosen() == "heavy"
    assert detector_files.needed()[2] == target
    detector_files.set_up("full", None, lambda line: None)
    assert detector_files.needed()[2].name == "pose_landmark_full.tflite"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (".task", b"PK no zip"),
        (".tgz", b"\x1f\x8b no package"),
        (".tflite", b"no network"),
        (".tflite", bytes(4) + b"TFL3" + bytes(9 << 20)),
    ],
)
def test_what_is_no_heavy_network_is_a_typed_error_and_changes_nothing(own_folder, kind, data):
    file = own_folder / f"network{kind}"
    file.write_bytes(data)
    with pytest.raises(DetectorError):
        detector_files.set_up("heavy", file, lambda line: None)
    assert detector_files.chosen() == "full"
    assert detector_files.network_file("pose_landmark_heavy.tflite") is None


def test_a_wheel_with_other_networks_is_refused(own_folder):
    for path in detector_files.detector_folder().iterdir():
        path.unlink()
    wheel = own_folder / "mediapipe-0.10.21-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mediapipe/modules/pose_detection/pose_detection.tflite", b"another")
    with pytest.raises(DetectorError, match="not the published file"):
        detector_files.set_up("full", wheel, lambda line: None)


def test_a_damaged_network_is_a_typed_error(own_folder):
    (detector_files.detector_folder() / "pose_landmark_full.tflite").write_bytes(b"damaged")
    with pytest.raises(DetectorError, match="cannot be loaded"):
        detector_files.shapes_of(detector_files.needed()[2])
