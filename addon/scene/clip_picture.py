"""The clip itself behind the scene, frame by frame with its keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import bpy
import numpy as np

from kinflow.batch.sources import VIDEO_SUFFIXES

from .. import compat
from .clip import Clip

_OFFSET = "image_user.frame_offset"


def file_numbers(paths: Sequence[str], rows: int) -> list[int] | None:
    """Which picture of a movie or of an image sequence a row shows. None where the files are none
    that Blender reads as one.
    """
    files = [Path(path) for path in paths]
    if files[0].suffix.lower() in VIDEO_SUFFIXES:
        return list(range(1, rows + 1)) if len(files) == 1 else None
    matches = [re.fullmatch(r"(.*?)(\d+)", file.stem) for file in files]
    if len(files) != rows or rows < 2 or not all(matches):
        return None
    kinds = {(f.parent, m[1], f.suffix) for f, m in zip(files, matches, strict=True)}
    return [int(match[2]) for match in matches] if len(kinds) == 1 else None


def show(camera: bpy.types.Object, paths: Sequence[str], clip: Clip) -> bool:
    """Puts a clip behind what its camera sees. -> whether Blender can show it."""
    rows = len(clip.observations)
    numbers, images = file_numbers(paths, rows), camera.data.background_images
    if numbers is None or not len(images):
        return False
    try:
        # one of its own: a still of the same file stays a still
        image = bpy.data.images.load(paths[0], check_existing=False)
    except RuntimeError:
        return False
    if image.source != "MOVIE":
        image.source = "SEQUENCE"
    images[0].image, user = image, images[0].image_user
    user.use_auto_refresh, user.use_cyclic = True, False
    user.frame_start = clip.first
    shown = np.repeat(numbers, clip.step)
    user.frame_duration = len(shown)
    # Blender shows picture 1 + frame - frame_start + frame_offset
    offsets = shown - np.arange(1, len(shown) + 1)
    user.frame_offset = int(offsets[0])
    if np.ptp(offsets):
        _key(camera.data, offsets, clip.first)
    return True


def _key(camera: bpy.types.Camera, offsets: np.ndarray, first: int) -> None:
    """Frames that stand for longer than one, and numbers that are left out."""
    changes = np.flatnonzero(np.diff(offsets, prepend=offsets[0] - 1))
    user, path = camera.background_images[0].image_user, f"background_images[0].{_OFFSET}"
    user.keyframe_insert("frame_offset", frame=first)
    points = compat.curve_of(camera, path, 0).keyframe_points
    for row in changes.tolist():
        points.insert(first + row, float(offsets[row]), options={"FAST"})
    for point in points:
        point.interpolation = "CONSTANT"
