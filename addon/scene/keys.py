"""Keys of whole motions, written as arrays: bone by bone they take minutes."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np

from .. import compat
from .motion import Motion

_ENUMS = {"interpolation": "LINEAR", "handle_left_type": "AUTO_CLAMPED"}
_ENUMS |= {"handle_right_type": "AUTO_CLAMPED"}
_PROPERTIES = bpy.types.Keyframe.bl_rna.properties
_NUMBERS = {name: _PROPERTIES[name].enum_items[item].value for name, item in _ENUMS.items()}


def write(armature: bpy.types.Object, motion: Motion, numbers: np.ndarray) -> None:
    """Keys of a body that has none yet. numbers (T,): frames."""
    for curve, values in _curves(armature, motion, int(numbers[0])):
        points = curve.keyframe_points
        points.clear()
        points.add(len(numbers))
        points.foreach_set("co", np.stack((numbers, values), 1).astype(np.float32).ravel())
        for name, number in _NUMBERS.items():
            points.foreach_set(name, np.full(len(numbers), number, np.int32))
        curve.update()


def replace(
    armature: bpy.types.Object, motion: Motion, numbers: np.ndarray, span: tuple[int, int]
) -> None:
    """Keys at the frames `numbers` (T,) instead of all from span[0] to span[1] (both): before and
    behind it every frame stays as it is.
    """
    first, last = span
    for curve, values in _curves(armature, motion, first):
        points = curve.keyframe_points
        if not len(points):
            continue
        # a line that crosses the span's end would be bent by what is in it
        for frame, beyond in ((first - 1, points[0].co.x), (last + 1, points[-1].co.x)):
            outside = frame > beyond if frame < first else frame < beyond
            if outside and not any(abs(point.co.x - frame) < 0.5 for point in points):
                _insert(curve, frame, curve.evaluate(frame))
        for point in reversed([p for p in points if first - 0.5 < p.co.x < last + 0.5]):
            points.remove(point, fast=True)
        for frame, value in zip(numbers.tolist(), values.tolist(), strict=True):
            _insert(curve, frame, value)
        curve.update()


def _insert(curve: bpy.types.FCurve, frame: float, value: float) -> None:
    point = curve.keyframe_points.insert(frame, value, options={"FAST"})
    for name, item in _ENUMS.items():
        setattr(point, name, item)


def _curves(
    armature: bpy.types.Object, motion: Motion, frame: int
) -> Iterator[tuple[bpy.types.FCurve, np.ndarray]]:
    """Each curve of the bones with its values (T,); made where it is missing."""
    for name, (turns, places) in motion.of_bones(armature).items():
        bone = armature.pose.bones[name]
        for path, values in (("rotation_quaternion", turns), ("location", places)):
            if not len(values):
                continue
            full = bone.path_from_id(path)
            if compat.curve_of(armature, full, 0) is None:
                bone.keyframe_insert(path, frame=frame)
            found = [compat.curve_of(armature, full, i) for i in range(values.shape[1])]
            if path == "rotation_quaternion":
                before = np.array([curve.evaluate(frame) for curve in found])
                values = values * (-1.0 if before @ values[0] < 0 else 1.0)
            yield from zip(found, values.T, strict=True)
