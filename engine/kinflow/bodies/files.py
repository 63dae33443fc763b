"""Body files: the default body, and SMPL's own (see smpl_files)."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ..errors import AssetError
from ..tensorfile import check_header, read_tensors
from .model import Body

DEFAULT_BODY = Path(__file__).parent.parent / "assets" / "default_body.safetensors"


def load_body(path: str | Path | None = None) -> Body:
    """The free default body, or a user's own SMPL file (.pkl, .npz of SMPL, SMPL-H, SMPL-X; .safetensors of ours).

    Float32 on the CPU. Raises AssetError (missing, damaged, wrong field) or UnsafeFileError (a pickle that runs code).
    """
    if path is None:
        return _default_body()
    path = Path(path)
    if path.suffix == ".safetensors":
        return _read_default(path)
    from .smpl_files import read_smpl

    return make_body(**read_smpl(path))


@lru_cache(maxsize=1)
def _default_body() -> Body:
    return _read_default(DEFAULT_BODY)


def make_body(
    v_template: np.ndarray, shapedirs: np.ndarray, posedirs: np.ndarray, J_regressor: np.ndarray, lbs_weights: np.ndarray,
    faces: np.ndarray, parts: np.ndarray | None = None, corrective_columns: np.ndarray | None = None, **rest: object,
) -> Body:  # fmt: skip
    """Body from SMPL's arrays. posedirs (207, 3V), or only the rows named by corrective_columns (K,)."""
    from .parts import label_vertices

    def tensor(array: np.ndarray, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.from_numpy(np.array(array)).to(dtype)

    joints = J_regressor.astype(np.float64) @ v_template.astype(np.float64)
    joint_dirs = np.einsum("jv,vck->jck", J_regressor.astype(np.float64), shapedirs.astype(np.float64))
    order = np.argsort(-lbs_weights, axis=1, kind="stable")[:, :4]
    if parts is None:
        parts = label_vertices(v_template, lbs_weights, joints)
    columns = np.arange(207) if corrective_columns is None else corrective_columns
    from ..skeleton import PARENTS

    return Body(
        v_template=tensor(v_template),
        shapedirs=tensor(shapedirs),
        corrective_columns=tensor(columns, torch.long),
        corrective_dirs=tensor(posedirs),
        J_regressor=tensor(J_regressor),
        lbs_weights=tensor(lbs_weights),
        parents=torch.tensor(PARENTS),
        faces=tensor(faces.astype(np.int64), torch.long),
        parts=tensor(parts, torch.long),
        weight_joints=tensor(order, torch.long),
        weight_values=tensor(np.take_along_axis(lbs_weights, order, 1)),
        J_template=tensor(joints),
        J_shapedirs=tensor(joint_dirs),
        **rest,
    )


def _read_default(path: Path) -> Body:
    arrays, metadata = read_tensors(path)
    check_header(path, metadata, "body")
    try:
        return make_body(
            **dense_arrays(arrays),
            parts=arrays["parts"],
            quads=torch.from_numpy(arrays["quads"].astype(np.int64)),
            uv=torch.from_numpy(arrays["uv"].copy()),
            quad_uv=torch.from_numpy(arrays["quad_uv"].astype(np.int64)),
            shape_names=tuple(json.loads(metadata["shape_names"])),
            name=metadata.get("name", path.stem),
            licence=metadata.get("licence", ""),
            extra=metadata,
        )
    except KeyError as error:
        raise AssetError(f"{path}: field {error} is missing.", "Install kinflow again.") from error


def dense_arrays(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """SMPL's arrays out of the compact file. posedirs only at `corrective_columns`."""
    count = len(arrays["v_template"])
    weights = np.zeros((count, 24))
    values = arrays["weight_values"].astype(np.float64)
    np.put_along_axis(weights, arrays["weight_joints"].astype(np.int64), values / values.sum(1, keepdims=True), 1)
    regressor = np.zeros((24, count))
    regressor[arrays["regressor_rows"], arrays["regressor_vertices"]] = arrays["regressor_weights"]
    regressor /= regressor.sum(1, keepdims=True)
    features = arrays["corrective_features"].astype(np.int64)
    corrective = np.zeros((len(features), count, 3), np.float32)
    corrective[arrays["corrective_rows"], arrays["corrective_vertices"]] = arrays["corrective_offsets"]
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
    return faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 0] != faces[:, 2])]
