"""The body as the rig holds it at rest: in the T-pose, the origin on the floor between its feet."""

from dataclasses import replace
from functools import lru_cache

from kinflow.bodies.arrays import BodyArrays, default_body_arrays
from kinflow.core.skeleton import JOINT_NAMES

SOLE = 0.01  # m above the lowest point
_FEET = [j for j, name in enumerate(JOINT_NAMES) if name.split("_")[-1] in ("ankle", "foot")]


@lru_cache(maxsize=1)
def rest_arrays() -> BodyArrays:
    """The shipped body, moved to stand on y = 0 in its own frame, whatever its shape.

    A shape moves the soles, so each shape direction is moved back by what it moves them on
    average: the lowest point stays within 6 mm of the floor up to 3 standard deviations of each.
    """
    arrays = default_body_arrays()
    heights = arrays.v_template[:, 1]
    soles = heights < heights.min() + SOLE
    origin = arrays.J_template[_FEET].mean(0)
    origin[1] = heights.min()
    drift = arrays.J_shapedirs[_FEET].mean(0)
    drift[1] = arrays.shapedirs[soles, 1].mean(0)
    return replace(
        arrays,
        v_template=arrays.v_template - origin,
        shapedirs=arrays.shapedirs - drift,
    )
