"""Body files: the default body, and SMPL's own (see smpl_files)."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import AssetError
from ..tensorfile import check_header, read_tensors
from .arrays import DEFAULT_BODY, dense_arrays
from .model import Body


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
    v_template: np.ndarray,
    shapedirs: np.ndarray,
    posedirs: np.ndarray,
    J_regressor: np.ndarray,
    lbs_weights: np.ndarray,
    faces: np.ndarray,
    parts: np.ndarray | None = None,
    corrective_columns: np.ndarray | None = None,
    **rest: Any,
) -> Body:
    """Body from SMPL's arrays. posedirs (207, 3V), or only the rows named by corrective_columns (K,)."""
    from .parts import label_vertices

    def tensor(array: np.ndarray, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.from_numpy(np.array(array)).to(dtype)

    joints = J_regressor.astype(np.float64) @ v_template.astype(np.float64)
    joint_dirs = np.einsum(
        "jv,vck->jck", J_regressor.astype(np.float64), shapedirs.astype(np.float64)
    )
    order = np.argsort(-lbs_weights, axis=1, kind="stable")[:, :4]
    if parts is None:
        parts = label_vertices(v_template, lbs_weights, joints)
    columns = np.arange(207) if corrective_columns is None else corrective_columns
    from ..core.skeleton import PARENTS

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
