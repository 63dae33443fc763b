"""MediaPipe's Pose Landmarker: people's keypoints with confidence, 3D landmarks and masks."""

import contextlib
import os
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..errors import DetectorError
from .bundle import find_bundle, make_bundle

MAX_PEOPLE = 8
USUAL_THRESHOLD, LOW_THRESHOLD = 0.4, 0.15


@dataclass(frozen=True)
class Detection:
    """One person: keypoints (33, 2) px of the searched image, confidence (33,), world (33, 3) m,
    mask (h, w) in 0..1."""

    keypoints: np.ndarray
    confidence: np.ndarray
    world: np.ndarray
    mask: np.ndarray

    @property
    def box(self) -> np.ndarray:
        """Extent of the confident keypoints, widened a little. xyxy px."""
        sure = self.confidence > 0.3
        points = self.keypoints[sure if sure.sum() >= 3 else slice(None)]
        low, high = points.min(0), points.max(0)
        margin = 0.08 * (high - low).max()
        return np.concatenate((low - margin, high + margin))


@contextlib.contextmanager
def quiet_stderr():
    """Sends what native libraries print to standard error to nowhere."""
    try:
        saved = os.dup(2)
    except OSError:
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)


@lru_cache(maxsize=4)
def _landmarker(path: str, people: int, threshold: float):
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet_stderr():
            from mediapipe.tasks.python import vision
            from mediapipe.tasks.python.core.base_options import BaseOptions
    except ImportError as error:
        hint = 'Run: pip install "kinflow[detect]", then kinflow setup.'
        raise DetectorError("MediaPipe is not installed.", hint) from error

    class Landmarker(vision.PoseLandmarker):
        """Lives as long as the process: closed at its end it complains of modules that are gone."""

        def __del__(self) -> None:
            pass

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=path),
        num_poses=people,
        output_segmentation_masks=True,
        min_pose_detection_confidence=threshold,
        min_pose_presence_confidence=threshold,
    )
    try:
        with quiet_stderr():
            landmarker = vision.PoseLandmarker.create_from_options(options)
    except OSError as error:  # its library is linked against OpenGL ES, which bare servers lack
        hint = "On Debian and Ubuntu: apt install libgles2 libegl1"
        raise DetectorError(f"The detector lacks a system library: {error}.", hint) from error
    except (RuntimeError, ValueError) as error:
        why = f"The detector's bundle {path} cannot be loaded: {error}"
        raise DetectorError(why, "Delete it and run: kinflow setup") from error
    landmarker.__class__ = Landmarker
    return landmarker


def inside_photo(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """Which points (N, 2) px lie in the photo. -> (N,) bool."""
    return (points >= 0).all(1) & (points < (width, height)).all(1)


def detect(
    rgb: np.ndarray, people: int = MAX_PEOPLE, threshold: float = USUAL_THRESHOLD
) -> list[Detection]:
    """Finds people. rgb (H, W, 3) uint8. threshold: how sure the detector has to be."""
    landmarker = _landmarker(str(find_bundle() or make_bundle()), people, threshold)
    import mediapipe

    height, width = rgb.shape[:2]
    image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
    with quiet_stderr():
        answer = landmarker.detect(image)
    masks = answer.segmentation_masks or [None] * len(answer.pose_landmarks)
    people_seen = zip(answer.pose_landmarks, answer.pose_world_landmarks, masks, strict=True)
    result = []
    for marks, world, mask in people_seen:
        points = np.array([(m.x * width, m.y * height) for m in marks], np.float32)
        visible = np.array([min(m.visibility, m.presence) for m in marks], np.float32)
        # a keypoint outside the photo is an extrapolation: present in the body, never seen
        visible[~inside_photo(points, width, height)] = 0
        space = np.array([(m.x, m.y, m.z) for m in world], np.float32)
        empty = np.zeros((height, width), np.float32)
        plane = empty if mask is None else np.squeeze(mask.numpy_view()).copy()
        result.append(Detection(points, visible, space, plane))
    return result
