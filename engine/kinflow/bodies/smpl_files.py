"""A user's own SMPL, SMPL-H and SMPL-X files, read without chumpy and without running anything.

Official .pkl files are pickles that hold numpy arrays, scipy sparse matrices and chumpy arrays. The unpickler here
knows the handful of names that such files use; chumpy's and scipy's objects become plain holders of their state. Any
other name is refused before anything is built from it.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import AssetError, UnsafeFileError
from ..core.skeleton import PARENTS

MAX_FILE_BYTES = 2 << 30
_OFFERS = {
    "smplh": ("SMPL-H", "https://mano.is.tue.mpg.de"),
    "smplx": ("SMPL-X", "https://smpl-x.is.tue.mpg.de"),
    "smpl": ("SMPL", "https://smpl.is.tue.mpg.de"),
}


class _Holder:
    """Stands in for a chumpy or scipy object: keeps its state, has no behaviour."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {"state": state}


_NUMPY_CORE = ("numpy.core.multiarray", "numpy._core.multiarray")
_SCIPY = {
    f"scipy.sparse.{module}": {f"{kind}_matrix"}
    for kind in ("csc", "csr", "coo")
    for module in (kind, f"_{kind}")
}


def _reconstruct(subtype: type, shape: tuple, dtype: Any) -> np.ndarray:
    """numpy's array factory, for plain arrays alone."""
    if subtype is not np.ndarray:
        raise UnsafeFileError(
            "The file builds an unexpected kind of array.", "Use a file from its publisher."
        )
    return np.ndarray(shape, dtype)


def _scalar(dtype: np.dtype, data: bytes = b"") -> Any:
    if dtype.hasobject:
        raise UnsafeFileError("The file holds an object scalar.", "Use a file from its publisher.")
    return np.frombuffer(data, dtype, 1)[0]


def _latin_bytes(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise UnsafeFileError(
            "The file encodes bytes in an unexpected way.", "Use a file from its publisher."
        )
    return text.encode("latin1")


class _RestrictedUnpickler(pickle.Unpickler):
    """Finds only what SMPL's files need; everything else is refused by name."""

    def find_class(self, module: str, name: str) -> Any:
        if module in _NUMPY_CORE and name == "_reconstruct":
            return _reconstruct
        if module in _NUMPY_CORE and name == "scalar":
            return _scalar
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if module == "_codecs" and name == "encode":
            return _latin_bytes
        if module.startswith("chumpy") or name in _SCIPY.get(module, ()):
            return _Holder
        if module in ("copy_reg", "copyreg") and name == "_reconstructor":
            return lambda cls, base, state: cls() if cls is _Holder else self._refuse(module, name)
        if module in ("__builtin__", "builtins") and name in ("object", "set", "frozenset"):
            return {"object": object, "set": set, "frozenset": frozenset}[name]
        return self._refuse(module, name)

    def _refuse(self, module: str, name: str) -> Any:
        raise UnsafeFileError(
            f"The pickle asks for {module}.{name}, which no SMPL file needs; nothing of it was run.",
            "Do not use this file; get it from its publisher.",
        )


def _plain(value: Any, field: str, path: Path) -> np.ndarray:
    """Array out of what the pickle holds: numpy as it is, chumpy's `x`, scipy's sparse parts."""
    if isinstance(value, _Holder):
        state = getattr(value, "state", {})
        if "indptr" in state or "row" in state:
            return _dense(state, field, path)
        for key in ("x", "_x", "r"):
            if key in state:
                return _plain(state[key], field, path)
        if "a" in state and ("idxs" in state):  # chumpy Select: a flat choice of another array
            base = _plain(state["a"], field, path).ravel()[
                _plain(state["idxs"], field, path).astype(int).ravel()
            ]
            return base.reshape(state.get("preferred_shape", base.shape))
        raise AssetError(
            f"{path}: field '{field}' is stored in a way that is not known here.",
            "Convert it with its publisher's tools.",
        )
    return np.asarray(value)


def _dense(state: dict[str, Any], field: str, path: Path) -> np.ndarray:
    try:
        shape = tuple(int(n) for n in state.get("_shape", state.get("shape", ())))
        result = np.zeros(shape)
        data = np.asarray(state["data"])
        if "row" in state:
            result[np.asarray(state["row"]), np.asarray(state["col"])] = data
            return result
        indptr, indices = np.asarray(state["indptr"]), np.asarray(state["indices"])
        major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        if (
            len(indptr) - 1 == shape[1]
            and (shape[0] != shape[1])
            and indices.max(initial=0) < shape[0]
        ):
            np.add.at(result, (indices, major), data)  # compressed columns
        else:
            np.add.at(result, (major, indices), data)
        return result
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise AssetError(
            f"{path}: field '{field}' is a damaged sparse matrix.", "Download the file again."
        ) from error


def _read_fields(path: Path) -> dict[str, Any]:
    if not path.exists():
        stem = path.name.lower()
        model, where = next(
            (v for k, v in _OFFERS.items() if k in stem.replace("-", "").replace("_", "")),
            _OFFERS["smpl"],
        )
        raise AssetError(
            f"There is no body file {path}.",
            f"{model} is offered at {where} after registration; its licence is for non-commercial research unless you buy another. "
            "Without it, kinflow uses its own free body.",
        )
    if path.stat().st_size > MAX_FILE_BYTES:
        raise AssetError(f"{path} is larger than any body file.", "Give an SMPL .pkl or .npz.")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as data:
                return {name: data[name] for name in data.files if data[name].dtype.kind != "O"}
        raw = path.read_bytes()
        value = _RestrictedUnpickler(io.BytesIO(raw), encoding="latin1").load()
    except UnsafeFileError as error:
        raise UnsafeFileError(f"{path}: {error.message}", error.hint) from error
    except (
        OSError,
        ValueError,
        EOFError,
        KeyError,
        AttributeError,
        TypeError,
        IndexError,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        ImportError,
        MemoryError,
        OverflowError,
        RecursionError,
    ) as error:
        hint = (
            "Object arrays are never unpickled: save it again without them."
            if "allow_pickle" in str(error)
            else "Download it again."
        )
        raise AssetError(
            f"{path} is damaged or no body file ({type(error).__name__}).", hint
        ) from error
    if not isinstance(value, dict):
        raise AssetError(
            f"{path} holds a {type(value).__name__} and not SMPL's fields.",
            "Give an SMPL .pkl or .npz.",
        )
    return value


def _checked(
    fields: dict[str, Any], path: Path, name: str, ndim: int, aliases: tuple[str, ...] = ()
) -> np.ndarray:
    key = next((k for k in (name, *aliases) if k in fields), None)
    if key is None:
        raise AssetError(
            f"{path}: field '{name}' is missing.", "Give a complete SMPL, SMPL-H or SMPL-X file."
        )
    array = _plain(fields[key], name, path)
    if array.ndim != ndim or array.dtype.kind not in "fiu":
        raise AssetError(
            f"{path}: field '{name}' should have {ndim} dimensions of numbers, not {array.shape} {array.dtype}.",
            "Download it again.",
        )
    if not np.isfinite(array).all():
        raise AssetError(
            f"{path}: field '{name}' holds NaN or infinity.", "Download the file again."
        )
    return array


def read_smpl(path: str | Path) -> dict[str, np.ndarray]:
    """SMPL's arrays of an official .pkl or .npz of SMPL, SMPL-H or SMPL-X, for `make_body`.

    SMPL-H's and SMPL-X's body joints are kept; fingers, jaw and eyes stay neutral: their weights go to the wrists'
    hand joints and the head. Raises AssetError naming the field, or UnsafeFileError for a pickle that runs anything.
    """
    path = Path(path)
    fields = _read_fields(path)
    v_template = _checked(fields, path, "v_template", 2).astype(np.float64)
    count = len(v_template)
    faces = _checked(fields, path, "f", 2, ("faces",)).astype(np.int64)
    shapedirs = _checked(fields, path, "shapedirs", 3).astype(np.float64)[:, :, :10]
    weights = _checked(fields, path, "weights", 2, ("lbs_weights",)).astype(np.float64)
    regressor = _checked(fields, path, "J_regressor", 2).astype(np.float64)
    posedirs = _checked(fields, path, "posedirs", 3).astype(np.float64)
    joints = regressor.shape[0]
    _shape(path, "v_template", v_template, (count, 3))
    _shape(path, "f", faces, (len(faces), 3))
    if len(faces) and (faces.min() < 0 or faces.max() >= count):
        raise AssetError(
            f"{path}: field 'f' names vertices that are not there.", "Download the file again."
        )
    _shape(path, "weights", weights, (count, joints))
    _shape(path, "J_regressor", regressor, (joints, count))
    _shape(path, "shapedirs", shapedirs, (count, 3, shapedirs.shape[2]))
    _shape(path, "posedirs", posedirs, (count, 3, 9 * (joints - 1)))
    if joints not in (24, 52, 55):
        raise AssetError(
            f"{path}: {joints} joints are of no body known here.",
            "Give an SMPL (24), SMPL-H (52) or SMPL-X (55) file.",
        )
    if shapedirs.shape[2] < 10:
        shapedirs = np.concatenate((shapedirs, np.zeros((count, 3, 10 - shapedirs.shape[2]))), 2)
    if joints != 24:
        regressor, weights, posedirs = _body_only(regressor, weights, posedirs, joints)
    rows = posedirs.reshape(-1, posedirs.shape[-1]).T
    return {
        "v_template": v_template,
        "shapedirs": shapedirs,
        "posedirs": rows,
        "J_regressor": regressor,
        "lbs_weights": weights,
        "faces": faces,
    }


def _shape(path: Path, name: str, array: np.ndarray, wanted: tuple[int, ...]) -> None:
    if array.shape != wanted:
        raise AssetError(
            f"{path}: field '{name}' has shape {array.shape} and should have {wanted}.",
            "Download the file again.",
        )


def _body_only(
    regressor: np.ndarray, weights: np.ndarray, posedirs: np.ndarray, joints: int
) -> tuple[np.ndarray, ...]:
    """24 joints out of SMPL-H's 52 or SMPL-X's 55: the first 22, and a hand joint a side at the middle knuckle."""
    first_hand = 22 if joints == 52 else 25
    left_hand, right_hand = (
        range(first_hand, first_hand + 15),
        range(first_hand + 15, first_hand + 30),
    )
    middle = 3  # index, middle, pinky, ring, thumb; three joints each
    picked = [*range(22), left_hand[middle], right_hand[middle]]
    new_weights = np.zeros((len(weights), 24))
    new_weights[:, :22] = weights[:, :22]
    new_weights[:, 22] = weights[:, list(left_hand)].sum(1)
    new_weights[:, 23] = weights[:, list(right_hand)].sum(1)
    if joints == 55:
        new_weights[:, 15] += weights[:, 22:25].sum(1)
    columns = posedirs.reshape(*posedirs.shape[:2], joints - 1, 9)
    new_posedirs = np.zeros((*posedirs.shape[:2], 23, 9))
    new_posedirs[:, :, :21] = columns[:, :, :21]
    assert len(PARENTS) == 24
    return regressor[picked], new_weights, new_posedirs.reshape(*posedirs.shape[:2], 207)
