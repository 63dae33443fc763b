"""The default body's arrays in numpy alone: what Blender builds its mesh and rig from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import AssetError
from ..tensorfile import check_header, read_tensors

DEFAULT_BODY = Path(__file__).parent.parent / "assets" / "default_body.safetensors"


@dataclass(frozen=True)
class BodyArrays:
    """SMPL's arrays of the default body, with quads and UVs, metres, Y up.

    v_template (V, 3), shapedirs (V, 3, 10), J_template (24, 3), J_shapedirs (24, 3, 10), weight_joints and
    weight_values (V, 4), quads (Q, 4), uv (T, 2), quad_uv (Q, 4); pose correctives: features (K, 3) of joint, row and
    column of its rotation matrix, offsets (K, V, 3).
    """

    v_template: np.ndarray
    shapedirs: np.ndarray
    J_template: np.ndarray
    J_shapedirs: np.ndarray
    weight_joints: np.ndarray
    weight_values: np.ndarray
    quads: np.ndarray
    uv: np.ndarray
    quad_uv: np.ndarray
    features: np.ndarray
    offsets: np.ndarray
    shape_names: tuple[str, ...]

    def joints(self, betas: np.ndarray) -> np.ndarray:
        """Rest joints of a shape. (10,) -> (24, 3)."""
        return self.J_template + self.J_shapedirs @ np.asarray(betas, np.float64)


@lru_cache(maxsize=1)
def default_body_arrays() -> BodyArrays:
    """Reads the shipped body. Raises AssetError where it is damaged."""
    arrays, metadata = read_tensors(DEFAULT_BODY)
    check_header(DEFAULT_BODY, metadata, "body")
    dense = dense_arrays(arrays)
    regressor = dense["J_regressor"]
    values = arrays["weight_values"].astype(np.float64)
    try:
        return BodyArrays(
            dense["v_template"],
            dense["shapedirs"],
            regressor @ dense["v_template"],
            np.einsum("jv,vck->jck", regressor, dense["shapedirs"]),
            arrays["weight_joints"].astype(np.int64),
            values / values.sum(1, keepdims=True),
            arrays["quads"].astype(np.int64),
            arrays["uv"],
            arrays["quad_uv"].astype(np.int64),
            arrays["corrective_features"].astype(np.int64),
            dense["posedirs"].reshape(len(dense["posedirs"]), -1, 3),
            tuple(json.loads(metadata["shape_names"])),
        )
    except KeyError as error:
        raise AssetError(
            f"{DEFAULT_BODY}: field {error} is missing.", "Install kinflow again."
        ) from error


def dense_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """SMPL's arrays out of the compact file. posedirs only at `corrective_columns`."""
    count = len(arrays["v_template"])
    weights = np.zeros((count, 24))
    values = arrays["weight_values"].astype(np.float64)
    np.put_along_axis(
        weights, arrays["weight_joints"].astype(np.int64), values / values.sum(1, keepdims=True), 1
    )
    regressor = np.zeros((24, count))
    regressor[arrays["regressor_rows"], arrays["regressor_vertices"]] = arrays["regressor_weights"]
    regressor /= regressor.sum(1, keepdims=True)
    features = arrays["corrective_features"].astype(np.int64)
    corrective = np.zeros((len(features), count, 3), np.float32)
    corrective[arrays["corrective_rows"], arrays["corrective_vertices"]] = arrays[
        "corrective_offsets"
    ]
    quads = arrays["quads"].astype(np.int64)
    return {
        "v_template": arrays["v_template"].astype(np.float64),
        "shapedirs": arrays["shapedirs"].astype(np.float64),
        "posedirs": corrective.reshape(len(features), -1),
        "corrective_columns": (features[:, 0] - 1) * 9 + features[:, 1] * 3 + features[:, 2],
        "J_regressor": regressor,
        "lbs_weights": weights,
        "faces": triangulate(quads),
    }


def triangulate(quads: np.ndarray) -> np.ndarray:
    """(Q, 4) -> (F, 3); quads that repeat a corner are triangles."""
    faces = np.concatenate((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]))
    return faces[
        (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])
    ]
