"""Official SMPL .pkl files, read without running anything.

They are pickles that hold numpy arrays, scipy sparse matrices and chumpy arrays. Here a name in a
pickle becomes an inert token, a call of it becomes a record of the call, and arrays are built by us
from checked shape, simple dtype and bytes. A name that no SMPL file needs is refused.
"""

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import UnsafeFileError
from ..userfiles import array_of

MAX_OPERATIONS = 1_000_000
MAX_NESTING = 16
MAX_DENSE = 10_000_000
_NUMPY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_FROM_BUFFER = "numpy._core.numeric._frombuffer"
_SPARSE = {
    f"scipy.sparse.{module}.{kind}_matrix": kind
    for kind in ("csc", "csr", "coo")
    for module in (kind, f"_{kind}")
}
_NAMES = {
    *(f"{module}.{name}" for module in _NUMPY_MODULES for name in ("_reconstruct", "scalar")),
    *("numpy.ndarray", "numpy.dtype", _FROM_BUFFER, "numpy.core.numeric._frombuffer"),
    *("_codecs.encode", "copy_reg._reconstructor", "copyreg._reconstructor"),
    *(f"{m}.{n}" for m in ("__builtin__", "builtins") for n in ("object", "set", "frozenset")),
    *_SPARSE,
}


@dataclass(frozen=True, eq=False)
class _Name:
    """A name that a pickle mentions; nothing is imported for it."""

    text: str


@dataclass(eq=False)
class Call:
    """What a pickle would have called: a name, its arguments, and the state set afterwards."""

    name: str
    arguments: tuple[Any, ...] = ()
    state: Any = None


def _call(function: Any, arguments: Any) -> Call:
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        raise pickle.UnpicklingError("it calls what is no name")
    if function.text.endswith("._reconstructor"):
        function = arguments[0]
        if not isinstance(function, _Name):
            raise pickle.UnpicklingError("it builds what has no name")
        return Call(function.text)
    return Call(function.text, arguments)


_PythonReader: Any = pickle._Unpickler  # the reader of the format that is written in Python


class _InertUnpickler(_PythonReader):
    """Every operation that would call, hash or allocate is replaced."""

    def find_class(self, module: str, name: str) -> Any:
        """A token. Raises UnsafeFileError for a name that no SMPL file needs."""
        text = f"{module}.{name}"
        if text not in _NAMES and module.split(".")[0] != "chumpy":
            raise UnsafeFileError(
                f"The pickle asks for {text}, which no SMPL file needs; nothing of it was run.",
                "Do not use this file; get it from its publisher.",
            )
        return _Name(text)

    def reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = _call(self.stack[-1], arguments)

    def build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Call):
            raise pickle.UnpicklingError("it sets the state of what is no object")
        self.stack[-1].state = state

    def set_items(self) -> None:
        self._put(self.pop_mark())

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key, value])

    def dictionary(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._put(items)

    def _put(self, items: list[Any]) -> None:
        target = self.stack[-1]
        # hashing a tuple of a million tuples would overflow C's stack
        if type(target) is not dict or any(type(k) not in (str, int, bytes) for k in items[::2]):
            raise pickle.UnpicklingError("it has an unexpected dictionary")
        target.update(zip(items[::2], items[1::2], strict=True))

    def append_item(self) -> None:
        self._extend([self.stack.pop()])

    def append_items(self) -> None:
        self._extend(self.pop_mark())

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise pickle.UnpicklingError("it appends to what is no list")
        self.stack[-1].extend(items)

    def empty_set(self) -> None:
        self.append(Call("builtins.set"))


class _Operations(dict[int, Callable[[Any], None]]):
    """The operations by their code, counted."""

    left = MAX_OPERATIONS

    def __getitem__(self, code: int) -> Callable[[Any], None]:
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError(f"it has more than {MAX_OPERATIONS} operations")
        return super().__getitem__(code)

    def __missing__(self, code: int) -> Callable[[Any], None]:
        raise pickle.UnpicklingError("it uses an operation that no SMPL file needs")


_KEPT = b"\x80\x95.(0122NIJKMLFGSTUVXBC\x8a\x8b\x8c\x8d\x8e\x88\x89)t\x85\x86\x87]l}ghjpqrc\x93\x94"
_REPLACED = {
    b"R": _InertUnpickler.reduce,
    b"\x81": _InertUnpickler.reduce,  # NEWOBJ: a class is a name too
    b"b": _InertUnpickler.build,
    b"s": _InertUnpickler.set_item,
    b"u": _InertUnpickler.set_items,
    b"d": _InertUnpickler.dictionary,
    b"a": _InertUnpickler.append_item,
    b"e": _InertUnpickler.append_items,
    b"\x8f": _InertUnpickler.empty_set,
    b"\x90": _InertUnpickler.pop_mark,  # ADDITEMS: what chumpy keeps in sets is of no use
    b"\x96": _PythonReader.load_binbytes8,  # BYTEARRAY8 would allocate what it is told
}


def load_inert(raw: bytes) -> Any:
    """The pickle's value: plain Python values, and `Call`s in place of objects.

    Raises UnsafeFileError, or whatever a damaged pickle makes Python's reader raise.
    """
    unpickler = _InertUnpickler(io.BytesIO(raw), encoding="latin1")
    kept = {code: _PythonReader.dispatch[code] for code in _KEPT}
    unpickler.dispatch = _Operations(kept | {code[0]: action for code, action in _REPLACED.items()})
    return unpickler.load()


def as_array(value: Any, depth: int = 0) -> np.ndarray:
    """Numbers out of a value: an array, chumpy's `x`, a sparse matrix. Raises ValueError."""
    if depth > MAX_NESTING:
        raise ValueError("it is nested too deep")
    if not isinstance(value, Call):
        if isinstance(value, (bool, int, float)):
            return np.array(value, np.float64)
        raise ValueError(f"it is stored as a {type(value).__name__}")
    state = value.state
    if value.name == "numpy.ndarray" or value.name.endswith("multiarray._reconstruct"):
        _, shape, dtype, fortran, data = state
        return array_of(_bytes(data), _dtype(dtype), _shape(shape), bool(fortran))
    if value.name.endswith("numeric._frombuffer"):
        data, dtype, shape, order = value.arguments
        return array_of(_bytes(data), _dtype(dtype), _shape(shape), order == "F")
    if value.name.endswith("multiarray.scalar"):
        return array_of(_bytes(value.arguments[1]), _dtype(value.arguments[0]), ())
    if not isinstance(state, dict):
        raise ValueError("it is stored in an unknown way")
    if value.name in _SPARSE:
        return _dense(_SPARSE[value.name], state, depth)
    for key in ("x", "_x", "r"):
        if key in state:
            return as_array(state[key], depth + 1)
    if "a" in state and "idxs" in state:  # chumpy's Select: a flat choice of another array
        base, index = (as_array(state[key], depth + 1).ravel() for key in ("a", "idxs"))
        shape = _shape(state.get("preferred_shape", index.shape))
        return base[index.astype(np.int64)].reshape(shape)
    raise ValueError("it is stored in an unknown way")


def _bytes(data: Any) -> bytes:
    if isinstance(data, Call) and data.name == "_codecs.encode":
        data = data.arguments[0]
    return data.encode("latin1") if isinstance(data, str) else bytes(memoryview(data))


def _dtype(value: Any) -> str:
    """'<f8' of numpy.dtype('f8', ...) with its state; Python objects and records are refused."""
    if not isinstance(value, Call) or value.name != "numpy.dtype":
        raise ValueError("it has no dtype")
    kind, order = value.arguments[0], value.state[1] if value.state else "="
    if kind not in {f"{k}{size}" for k in "iuf" for size in (1, 2, 4, 8)} - {"f1"} | {"b1"}:
        raise ValueError(f"it holds {'Python objects' if kind == 'O8' else f'values of {kind!r}'}")
    return f"{order if order in ('<', '>') else '='}{kind}"


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple) or any(type(n) is not int for n in value):
        raise ValueError("its shape is none")
    return value


def _dense(kind: str, state: dict[Any, Any], depth: int) -> np.ndarray:
    stored = state.get("_shape", state.get("shape", ()))
    shape = tuple(int(as_array(n)) for n in stored)
    if len(shape) != 2 or min(shape) < 0 or shape[0] * shape[1] > MAX_DENSE:
        raise ValueError("it is a sparse matrix of an impossible size")
    result = np.zeros(shape)
    keys = ("row", "col") if kind == "coo" else ("indptr", "indices")
    first, second = (as_array(state[key], depth + 1).astype(np.int64) for key in keys)
    data = as_array(state["data"], depth + 1)
    if kind != "coo":
        counts = np.diff(first)
        if counts.min(initial=0) < 0 or counts.sum() != len(second):
            raise ValueError("it is a damaged sparse matrix")
        first = np.repeat(np.arange(len(counts)), counts)
    rows, columns = (second, first) if kind == "csc" else (first, second)
    if rows.min(initial=0) < 0 or columns.min(initial=0) < 0:
        raise ValueError("it is a damaged sparse matrix")
    np.add.at(result, (rows, columns), data)
    return result
