"""A body's tables where a computation runs: contracted in double precision, and kept."""

from functools import lru_cache

import numpy as np

from ..core.arrays import Backend
from ..core.body import BodyTable, SkinTable
from ..core.points import PointTable
from ..core.terms.parts import Skin
from .arrays import BodyArrays, vertex_normals
from .keypoints import keypoint_regressor

NUM_SAMPLES = 320


@lru_cache(maxsize=16)
def body_table(body: BodyArrays, backend: Backend) -> BodyTable:
    """For posing the skeleton."""
    return backend.record(BodyTable.of(body.J_template, body.J_shapedirs, body.columns))


@lru_cache(maxsize=8)
def skin_table(body: BodyArrays, backend: Backend) -> SkinTable:
    """For posing the whole mesh."""
    shape = body.shapedirs.reshape(-1, body.shapedirs.shape[-1]).T
    offsets = body.offsets.reshape(len(body.offsets), -1)
    dirs = np.concatenate((body.v_template.reshape(1, -1), shape, offsets))
    return SkinTable(backend.asarray(dirs), backend.asarray(body.lbs_weights))


@lru_cache(maxsize=32)
def keypoint_table(body: BodyArrays, keypoint_set: str, backend: Backend) -> PointTable:
    """For posing a keypoint set's points."""
    regressor = keypoint_regressor(body, keypoint_set)
    points = body.points(regressor.joint_weights, regressor.vertex_index, regressor.vertex_weights)
    return backend.record(PointTable.of(points, body.J_template, body.J_shapedirs))


@lru_cache(maxsize=16)
def skin_sample(body: BodyArrays, backend: Backend) -> Skin:
    """Vertices spread evenly over the skin (farthest-point sampling on the template)."""
    v = body.v_template
    chosen = [int(v[:, 1].argmax())]
    distance = np.linalg.norm(v - v[chosen[0]], axis=1)
    while len(chosen) < NUM_SAMPLES:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(v - v[chosen[-1]], axis=1))
    index = np.array(chosen)
    points = body.points(np.zeros((len(index), 24)), index, np.eye(len(index)))
    table = PointTable.of(points, body.J_template, body.J_shapedirs)
    normals = vertex_normals(v, body.faces)[index]
    return backend.record(Skin(table, normals, body.lbs_weights[index], body.parts[index]))
