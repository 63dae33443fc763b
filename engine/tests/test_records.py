import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinflow import Camera, FitResult, Observation
from kinflow.errors import AssetError, InvalidInputError

finite = st.floats(-50, 50, allow_nan=False)


@given(finite, finite, st.floats(0.1, 50))
def test_projection_is_the_pinhole_formula(x, y, z):
    camera = Camera(800, 900, 310, 250, 640, 480)
    u, v = camera.project(np.array([x, y, z]))
    assert u == pytest.approx(800 * x / z + 310) and v == pytest.approx(900 * y / z + 250)


def test_points_behind_the_camera_have_no_pixel():
    assert np.isnan(Camera(800, 800, 0, 0, 10, 10).project(np.array([0.0, 0.0, -1.0]))).all()


def test_stated_field_of_view_gives_its_focal_length():
    camera = Camera.guess(1000, 500, fov_degrees=90)
    assert camera.fx == pytest.approx(500)
    assert Camera.guess(300, 400).fx == pytest.approx(500)


@pytest.mark.parametrize(
    "arguments",
    [
        {"keypoints": np.zeros((16, 2)), "confidence": np.ones(17)},
        {"keypoints": np.zeros((17, 2)), "confidence": np.ones(16)},
        {"keypoints": "nonsense", "confidence": np.ones(17)},
        {"keypoints": np.zeros((17, 2)), "confidence": np.ones(17), "keypoint_set": "x"},
        {
            "keypoints": np.zeros((17, 2)),
            "confidence": np.ones(17),
            "camera": Camera(1, 1, 1, 1, 20, 10),
            "mask": np.zeros((20, 10), bool),
        },
    ],
)
def test_contradictory_observations_are_typed_errors(arguments):
    with pytest.raises(InvalidInputError):
        Observation(**arguments)


def test_observations_survive_json():
    camera = Camera(500, 500, 320, 240, 640, 480)
    o = Observation(
        np.random.rand(17, 2) * 100,
        np.random.rand(17),
        "coco17",
        camera,
        [0, 0, 10, 20],
        image_path="a.jpg",
        photo=3,
    )
    again = Observation.from_json(o.to_json())
    assert (
        np.array_equal(again.keypoints, o.keypoints) and again.camera == camera and again.photo == 3
    )


def test_observations_cannot_be_changed_in_place():
    o = Observation(np.zeros((17, 2)), np.ones(17))
    with pytest.raises(ValueError):
        o.keypoints[0, 0] = 1


def test_a_damaged_fit_file_is_a_typed_error(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 nonsense")
    np.savez(tmp_path / "y.npz", header=np.frombuffer(b"{}", np.uint8))
    for name in ("x.npz", "y.npz", "missing.npz"):
        with pytest.raises(AssetError):
            FitResult.load(tmp_path / name)
