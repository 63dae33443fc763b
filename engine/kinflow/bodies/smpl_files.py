"""A user's own SMPL, SMPL-H and SMPL-X files, read without chumpy and without running anything."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AssetError, UnsafeFileError
from ..userfiles import parsing, read_bytes, read_npz
from .smpl_pickle import as_array, load_inert

MAX_MB = 1024
MAX_VERTICES = 100_000
MAX_VALUE = 1e9
_AGAIN = "Download it again."
_OFFERS = {
    "smplh": ("SMPL-H", "https://mano.is.tue.mpg.de"),
    "smplx": ("SMPL-X", "https://smpl-x.is.tue.mpg.de"),
    "smpl": ("SMPL", "https://smpl.is.tue.mpg.de"),
}
# dimensions of each field, and the names that files give it
_FIELDS = {
    "v_template": (2, ("v_template",)),
    "f": (2, ("f", "faces")),
    "shapedirs": (3, ("shapedirs",)),
    "posedirs": (3, ("posedirs",)),
    "weights": (2, ("weights", "lbs_weights")),
    "J_regressor": (2, ("J_regressor",)),
}


def _offer(path: Path) -> AssetError:
    stem = path.name.lower().replace("-", "").replace("_", "")
    model, where = next((v for k, v in _OFFERS.items() if k in stem), _OFFERS["smpl"])
    return AssetError(
        f"There is no body file {path}.",
        f"{model} is offered at {where} after registration; its licence is for non-commercial "
        "research unless you buy another. Without it, kinflow uses its own free body.",
    )


def _read_fields(path: Path) -> dict[str, Any]:
    """What the file holds by name: arrays of an .npz, inert values of a pickle."""
    try:
        os.stat(path)
    except FileNotFoundError as error:
        raise _offer(path) from error
    except (OSError, ValueError):
        pass  # opening it says why
    if path.suffix == ".npz":
        names = {name for _, aliases in _FIELDS.values() for name in aliases}
        return read_npz(path, MAX_MB, names, _AGAIN)
    raw = read_bytes(path, MAX_MB, hint="Give an SMPL .pkl or .npz.")
    try:
        with parsing(path, _AGAIN, kind="body file"):
            value = load_inert(raw)
    except UnsafeFileError as error:
        raise UnsafeFileError(f"{path}: {error.message}", error.hint) from error
    if not isinstance(value, dict):
        raise AssetError(f"{path} does not hold SMPL's fields.", "Give an SMPL .pkl or .npz.")
    return value


def _checked(fields: dict[str, Any], path: Path, name: str) -> np.ndarray:
    """A field as finite numbers. Raises AssetError naming it."""
    dimensions, aliases = _FIELDS[name]
    key = next((k for k in aliases if k in fields), None)
    if key is None:
        why = f"{path}: field '{name}' is missing, or holds Python objects, which are never read."
        raise AssetError(why, "Give a complete SMPL, SMPL-H or SMPL-X file.")
    with parsing(f"{path}: field '{name}'", _AGAIN):
        value = fields[key]
        array = value if isinstance(value, np.ndarray) else as_array(value)
    if array.ndim != dimensions or array.dtype.kind not in "fiu":
        wanted = f"should have {dimensions} dimensions of numbers, not {array.shape} {array.dtype}"
        raise AssetError(f"{path}: field '{name}' {wanted}.", _AGAIN)
    if not (np.abs(array) < MAX_VALUE).all():
        raise AssetError(f"{path}: field '{name}' holds NaN, infinity or the like.", _AGAIN)
    return array


def read_smpl(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """SMPL's arrays of an official .pkl or .npz of SMPL, SMPL-H or SMPL-X, for `smpl_arrays`.

    v_template (V, 3) m, shapedirs (V, 3, 10), posedirs (207, 3V), J_regressor (24, V),
    lbs_weights (V, 24), faces (F, 3). SMPL-H's and SMPL-X's body joints are kept; fingers, jaw and
    eyes stay neutral: their weights go to the wrists' hand joints and the head. Raises AssetError
    naming the field, or UnsafeFileError for a pickle that would run anything.
    """
    path = Path(path)
    stored = _read_fields(path)
    fields = {name: _checked(stored, path, name) for name in _FIELDS}
    count, joints = len(fields["v_template"]), len(fields["J_regressor"])
    if not 0 < count <= MAX_VERTICES or joints not in (24, 52, 55):
        why = f"{path}: {joints} joints and {count} vertices are of no body known here."
        raise AssetError(why, "Give an SMPL (24), SMPL-H (52) or SMPL-X (55) file.")
    faces = fields["f"]
    shapes: dict[str, tuple[int, ...]] = {
        **{"v_template": (count, 3), "f": (len(faces), 3), "weights": (count, joints)},
        **{"J_regressor": (joints, count), "posedirs": (count, 3, 9 * (joints - 1))},
        "shapedirs": (count, 3, fields["shapedirs"].shape[2]),
    }
    for name, wanted in shapes.items():
        if (shape := fields[name].shape) != wanted:
            text = f"{path}: field '{name}' has shape {shape} and should have {wanted}."
            raise AssetError(text, _AGAIN)
    if len(faces) and (faces.min() < 0 or faces.max() >= count):
        raise AssetError(f"{path}: field 'f' names vertices that are not there.", _AGAIN)
    shapedirs = fields["shapedirs"][:, :, :10].astype(np.float64)
    missing = np.zeros((count, 3, 10 - shapedirs.shape[2]))
    regressor, weights, posedirs = (
        fields[name].astype(np.float64) for name in ("J_regressor", "weights", "posedirs")
    )
    if joints != 24:
        regressor, weights, posedirs = _body_only(regressor, weights, posedirs)
    return {
        "v_template": fields["v_template"].astype(np.float64),
        "shapedirs": np.concatenate((shapedirs, missing), 2),
        "posedirs": posedirs.reshape(-1, posedirs.shape[-1]).T,
        "J_regressor": regressor,
        "lbs_weights": weights,
        "faces": faces.astype(np.int64),
    }


def _body_only(
    regressor: np.ndarray, weights: np.ndarray, posedirs: np.ndarray
) -> tuple[np.ndarray, ...]:
    """24 joints of SMPL-H's 52 or SMPL-X's 55: the first 22, and each hand's middle knuckle."""
    joints = len(regressor)
    left = 22 if joints == 52 else 25
    right = left + 15
    middle = 3  # index, middle, pinky, ring, thumb; three joints each
    kept_weights = np.zeros((len(weights), 24))
    kept_weights[:, :22] = weights[:, :22]
    kept_weights[:, 22] = weights[:, left:right].sum(1)
    kept_weights[:, 23] = weights[:, right : right + 15].sum(1)
    kept_weights[:, 15] += weights[:, 22:left].sum(1)
    columns = posedirs.reshape(*posedirs.shape[:2], joints - 1, 9)
    kept_posedirs = np.zeros((*posedirs.shape[:2], 23, 9))
    kept_posedirs[:, :, :21] = columns[:, :, :21]
    kept = [*range(22), left + middle, right + middle]
    return regressor[kept], kept_weights, kept_posedirs.reshape(*posedirs.shape[:2], 207)
