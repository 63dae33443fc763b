"""A body's arrays in numpy alone: what Blender builds a mesh and rig of, and tables are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from ..core.arrays import Backend, numpy_backend
from ..core.points import Points
from ..core.skeleton import PARENTS
from ..errors import AssetError
from ..tensorfile import check_header, read_tensors
from ..userfiles import MALFORMED
from .parts import label_vertices

DEFAULT_BODY = Path(__file__).parent.parent / "assets" / "default_body.safetensors"


class AnyBody(Protocol):
    """`BodyArrays`, or a `Body` of torch: the arrays, and where its own computations run."""

    @property
    def arrays(self) -> BodyArrays: ...
    @property
    def backend(self) -> Backend: ...


@dataclass(frozen=True, eq=False)
class BodyArrays:
    """SMPL's arrays under SMPL's names, in float64; metres, Y up, facing +Z, T-pose.

    v_template (V, 3), shapedirs (V, 3, 10), J_regressor (24, V), lbs_weights (V, 24), faces (F, 3),
    parts (V,) labels of `bodies.parts`. Pose correctives: features (K, 3) of joint, row and column
    of its rotation matrix, offsets (K, V, 3). The default body has quads (Q, 4), uv (T, 2), quad_uv
    (Q, 4).
    """

    v_template: np.ndarray
    shapedirs: np.ndarray
    J_regressor: np.ndarray
    lbs_weights: np.ndarray
    faces: np.ndarray
    parts: np.ndarray
    features: np.ndarray
    offsets: np.ndarray
    quads: np.ndarray | None = None
    uv: np.ndarray | None = None
    quad_uv: np.ndarray | None = None
    shape_names: tuple[str, ...] = ()
    name: str = ""
    licence: str = ""

    @property
    def arrays(self) -> BodyArrays:
        """Itself; a `Body` of torch has them too."""
        return self

    @property
    def backend(self) -> Backend:
        """Numpy, in double precision."""
        return numpy_backend(np.float64)

    @property
    def num_vertices(self) -> int:
        return len(self.v_template)

    @cached_property
    def J_template(self) -> np.ndarray:
        """Joints of the template. (24, 3)."""
        return self.J_regressor @ self.v_template

    @cached_property
    def J_shapedirs(self) -> np.ndarray:
        """Shape directions of the joints. (24, 3, 10)."""
        return np.einsum("jv,vck->jck", self.J_regressor, self.shapedirs)

    @cached_property
    def columns(self) -> np.ndarray:
        """Which of SMPL's 207 pose features the correctives use. (K,)."""
        return (self.features[:, 0] - 1) * 9 + self.features[:, 1] * 3 + self.features[:, 2]

    @cached_property
    def weight_joints(self) -> np.ndarray:
        """The four joints that hold each vertex most. (V, 4)."""
        return np.argsort(-self.lbs_weights, axis=1, kind="stable")[:, :4]

    @cached_property
    def weight_values(self) -> np.ndarray:
        """Their weights. (V, 4)."""
        return np.take_along_axis(self.lbs_weights, self.weight_joints, 1)

    def joints(self, betas: np.ndarray) -> np.ndarray:
        """Rest joints of a shape. (10,) -> (24, 3)."""
        return self.J_template + self.J_shapedirs @ np.asarray(betas, np.float64)

    def points(
        self, joint_weights: np.ndarray, index: np.ndarray, vertex_weights: np.ndarray
    ) -> Points:
        """Mixes of joints (P, 24) and vertices index (n,), weighted (P, n)."""
        offsets = self.offsets[:, index].astype(np.float64).transpose(1, 2, 0)
        dirs = np.concatenate((self.shapedirs[index], offsets), -1)
        weights = self.lbs_weights[index]
        return Points(joint_weights, vertex_weights, self.v_template[index], dirs, weights)


@lru_cache(maxsize=1)
def default_body_arrays() -> BodyArrays:
    """Reads the shipped body. Raises AssetError where it is damaged."""
    return read_body_arrays(DEFAULT_BODY)


def read_body_arrays(path: Path) -> BodyArrays:
    """A body of our own format. Raises AssetError where it is damaged or of a later version."""
    stored, metadata = read_tensors(path)
    check_header(path, metadata, "body")
    try:
        count = len(stored["v_template"])
        weights = np.zeros((count, 24))
        values = stored["weight_values"].astype(np.float64)
        joints = stored["weight_joints"].astype(np.int64)
        np.put_along_axis(weights, joints, values / values.sum(1, keepdims=True), 1)
        regressor = np.zeros((24, count))
        rows, columns = stored["regressor_rows"], stored["regressor_vertices"]
        regressor[rows, columns] = stored["regressor_weights"]
        features = stored["corrective_features"].astype(np.int64)
        if len(features) > 9 * (len(PARENTS) - 1):
            raise ValueError("more correctives than SMPL has")
        offsets = np.zeros((len(features), count, 3), np.float32)
        rows, columns = stored["corrective_rows"], stored["corrective_vertices"]
        offsets[rows, columns] = stored["corrective_offsets"]
        quads = stored["quads"].astype(np.int64)
        return BodyArrays(
            v_template=stored["v_template"].astype(np.float64),
            shapedirs=stored["shapedirs"].astype(np.float64),
            J_regressor=regressor / regressor.sum(1, keepdims=True),
            lbs_weights=weights,
            faces=triangulate(quads),
            parts=stored["parts"].astype(np.int64),
            features=features,
            offsets=offsets,
            quads=quads,
            uv=stored["uv"],
            quad_uv=stored["quad_uv"].astype(np.int64),
            shape_names=tuple(json.loads(metadata["shape_names"])),
            name=metadata.get("name", path.stem),
            licence=metadata.get("licence", ""),
        )
    except MALFORMED as error:
        raise AssetError(
            f"{path}: a field is missing or wrong ({error}).", "Install kinflow again."
        ) from error


def smpl_arrays(fields: dict[str, np.ndarray], name: str = "") -> BodyArrays:
    """A body from SMPL's own arrays, as `smpl_files.read_smpl` gives them; posedirs (207, 3V)."""
    template, weights = fields["v_template"], fields["lbs_weights"]
    column = np.arange(9 * (len(PARENTS) - 1))
    features = np.stack((column // 9 + 1, column % 9 // 3, column % 3), -1)
    return BodyArrays(
        v_template=template,
        shapedirs=fields["shapedirs"],
        J_regressor=fields["J_regressor"],
        lbs_weights=weights,
        faces=fields["faces"].astype(np.int64),
        parts=label_vertices(template, weights, fields["J_regressor"] @ template).astype(np.int64),
        features=features,
        offsets=fields["posedirs"].reshape(len(features), -1, 3).astype(np.float32),
        name=name,
    )


def triangulate(quads: np.ndarray) -> np.ndarray:
    """(Q, 4) -> (F, 3); quads that repeat a corner are triangles."""
    faces = np.concatenate((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]))
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (a != c)]


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals. (V, 3), (F, 3) -> (V, 3)."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    total = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normal[:, k], 3), len(vertices)) for k in range(3)],
        -1,
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
