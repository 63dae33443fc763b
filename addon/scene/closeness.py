"""How closely a fit follows its photo, in plain words."""

from functools import lru_cache

import bpy
import numpy as np

from kinflow.bodies.arrays import default_body_arrays

from . import photos
from .parameters import Parameters

# Shares of the body's height by which its keypoints miss the photo's on average. The fits of the
# 18 people in ten snapshots are 1.0 to 2.5 cm off.
CLOSELY, ROUGHLY = 0.015, 0.04


def word(share: float) -> str:
    """For a mean distance of the keypoints, as a share of the body's height."""
    if share < CLOSELY:
        return "closely"
    return "roughly" if share < ROUGHLY else "hardly"


def sentence(armature: bpy.types.Object) -> str:
    """ "Follows the photo closely (4.2 px)", for the hypothesis that the body shows."""
    state = armature.kinflow
    if not 0 <= state.active_hypothesis < len(state.hypotheses):
        return ""
    shown = state.hypotheses[state.active_hypothesis]
    photo = photos.photo_of_body(armature)
    found = photos.camera_record(photo) if photo is not None else None
    if found is None:  # without it nobody knows how large a pixel is
        return f"Keypoints miss the photo's by {shown.error_px:.1f} px on average"
    depth, height = _depth_and_height(shown.data)
    share = shown.error_px * depth / (found.fx * height)
    return f"Follows the photo {word(share)} ({shown.error_px:.1f} px)"


@lru_cache(maxsize=64)
def _depth_and_height(data: str) -> tuple[float, float]:
    """How far the pelvis is from the camera, and how tall the body stands, m."""
    parameters, arrays = Parameters.from_json(data), default_body_arrays()
    depth = arrays.joints(parameters.betas)[0, 2] + parameters.transl[2]
    heights = arrays.v_template[:, 1] + arrays.shapedirs[:, 1] @ parameters.betas
    return max(float(depth), 0.1), float(np.ptp(heights))
