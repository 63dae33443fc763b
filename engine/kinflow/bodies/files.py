"""Body files: the default body, and SMPL's own (see smpl_files)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .arrays import BodyArrays, default_body_arrays, read_body_arrays, smpl_arrays

if TYPE_CHECKING:
    from .model import Body


def load_body_arrays(path: str | Path | None = None) -> BodyArrays:
    """The free default body, or a user's own SMPL file, in numpy; as `load_body`."""
    if path is None:
        return default_body_arrays()
    path = Path(path)
    if path.suffix == ".safetensors":
        return read_body_arrays(path)
    from .smpl_files import read_smpl

    return smpl_arrays(read_smpl(path), path.stem)


def load_body(path: str | Path | None = None) -> Body:
    """The free default body, or a user's own SMPL file (.pkl, .npz of SMPL, SMPL-H, SMPL-X;
    .safetensors of ours).

    Float32 on the CPU. Raises AssetError (missing, damaged, wrong field) or UnsafeFileError (a
    pickle that runs code).
    """
    return _body(load_body_arrays(path))


@lru_cache(maxsize=2)
def _body(arrays: BodyArrays) -> Body:
    from .model import Body  # torch

    return Body(arrays)
