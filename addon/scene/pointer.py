"""What the mouse means in the 3D view: handles near it, places and turns that it asks for."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from bpy_extras.view3d_utils import (
    location_3d_to_region_2d,
    region_2d_to_location_3d,
    region_2d_to_origin_3d,
    region_2d_to_vector_3d,
)
from mathutils import Matrix, Vector

from . import pins

SLOW = 0.1
_AXES = {"X": Vector((1, 0, 0)), "Y": Vector((0, 1, 0)), "Z": Vector((0, 0, 1))}
_LEAST_PIXELS = 1.0  # of a metre along an axis: below, the view looks along it


@dataclass(frozen=True)
class View:
    """A viewport's region and its 3D view."""

    region: bpy.types.Region
    view: bpy.types.RegionView3D

    @staticmethod
    def of(context: bpy.types.Context) -> View | None:
        """None outside a 3D viewport."""
        view = getattr(context.space_data, "region_3d", None)
        window = context.region is not None and context.region.type == "WINDOW"
        return View(context.region, view) if view is not None and window else None

    def to_region(self, place: Vector) -> Vector | None:
        """World -> px of the region; None behind the eye."""
        return location_3d_to_region_2d(self.region, self.view, place)

    def handles(self, armature: bpy.types.Object) -> dict[str, Vector]:
        """Handles that are in front of the eye, px of the region."""
        places = {joint: pins.handle_place(armature, joint) for joint in pins.HANDLES}
        found = {j: self.to_region(place) for j, place in places.items() if place is not None}
        return {joint: place for joint, place in found.items() if place is not None}

    def nearest(
        self, armature: bpy.types.Object, mouse: tuple[float, float]
    ) -> tuple[str, float] | None:
        """The handle nearest to a place of the region, and its distance in px."""
        apart = {j: (p - Vector(mouse)).length for j, p in self.handles(armature).items()}
        joint = min(apart, key=apart.__getitem__, default=None)
        return (joint, apart[joint]) if joint is not None else None


class PlaceDrag:
    """Moves a point with the mouse: in the view's plane, along an axis, or over the floor."""

    def __init__(self, view: View, place: Vector, mouse: tuple[float, float]) -> None:
        self._view, self._start, self._mouse = view, place.copy(), Vector(mouse)
        self._way = Vector((0.0, 0.0))
        self.axis = ""

    def press_axis(self, key: str) -> None:
        """X, Y or Z: along that axis of the world; again: free."""
        self.axis = "" if key == self.axis else key

    def place(self, mouse: tuple[float, float], slow: bool, floor: float | None) -> Vector:
        """Where the point should be, world. floor: its height above Z = 0 where it is snapped."""
        self._way += (Vector(mouse) - self._mouse) * (SLOW if slow else 1.0)
        self._mouse = Vector(mouse)
        start = self._view.to_region(self._start)
        if start is None:
            return self._start.copy()
        target = start + self._way
        if self.axis:
            place = self._along(_AXES[self.axis], start)
        else:
            place = region_2d_to_location_3d(
                self._view.region, self._view.view, target, self._start
            )
        if floor is None:
            return place
        return self._on_floor(place, target, floor)

    def _along(self, axis: Vector, start: Vector) -> Vector:
        end = self._view.to_region(self._start + 0.1 * axis)
        step = 10 * (end - start) if end is not None else Vector((0, 0))
        if step.length < _LEAST_PIXELS:
            return self._start.copy()
        return self._start + axis * (self._way.dot(step) / step.length_squared)

    def _on_floor(self, place: Vector, target: Vector, height: float) -> Vector:
        """Below the mouse where its ray meets the floor near by, else straight below the place."""
        region, view = self._view.region, self._view.view
        eye = region_2d_to_origin_3d(region, view, target)
        ray = region_2d_to_vector_3d(region, view, target)
        below = Vector((place.x, place.y, height))
        if self.axis or ray.z > -0.1:
            return below
        hit = eye + ray * ((height - eye.z) / ray.z)
        return hit if (hit - below).length < 2.0 else below


class TurnDrag:
    """Turns with the mouse about the view's axis, or an axis of the world."""

    def __init__(self, view: View, place: Vector, mouse: tuple[float, float]) -> None:
        self._view, self._mouse = view, Vector(mouse)
        self._centre = view.to_region(place) or Vector(mouse)
        self._angle = 0.0
        self.axis = ""

    def press_axis(self, key: str) -> None:
        """X, Y or Z: about that axis of the world; again: about the view's."""
        self.axis = "" if key == self.axis else key

    def turn(self, mouse: tuple[float, float], slow: bool) -> np.ndarray:
        """The rotation (3, 3) in the world since the drag began."""
        before, now = self._mouse - self._centre, Vector(mouse) - self._centre
        self._mouse = Vector(mouse)
        if min(before.length, now.length) > 1.0:
            step = float(np.arctan2(before.cross(now), before.dot(now)))
            self._angle += step * (SLOW if slow else 1.0)
        towards_eye = self._view.view.view_rotation @ Vector((0, 0, 1))
        axis = _AXES[self.axis] if self.axis else towards_eye
        # an axis that points away turns the other way on the screen
        angle = self._angle if axis.dot(towards_eye) >= 0 else -self._angle
        return np.array(Matrix.Rotation(angle, 3, axis))
