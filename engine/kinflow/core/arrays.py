"""The array namespace, and what the array API standard lacks."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import array_api_compat.numpy
import numpy as np

from ..records import NumpyArray

Array = Any
"""An array of numpy or a tensor of torch: their stubs have no common type."""
numpy_namespace = array_api_compat.numpy
Namespace = Any
"""`array_api_compat.numpy` or `array_api_compat.torch`."""
T = TypeVar("T")

_PER_PERSON = "per_person"


def is_numpy(xp: Namespace) -> bool:
    """Whether arrays live in this process's memory, and shapes may depend on data."""
    return xp is numpy_namespace


@dataclass(frozen=True)
class Backend:
    """Where arrays live: a namespace, a floating dtype of it, a device of it (None: its own)."""

    xp: Namespace
    dtype: Any
    device: Any = None

    def asarray(self, values: Any) -> Array:
        """What numpy understands; floating values in the backend's dtype, others as they are."""
        array = np.asarray(values)
        if array.dtype.kind == "f":
            if is_numpy(self.xp):
                return np.ascontiguousarray(array, self.dtype)
            return self.xp.asarray(np.array(array), dtype=self.dtype, device=self.device)
        return self.xp.asarray(np.array(array), device=self.device)

    def record(self, record: T) -> T:
        """A dataclass of numpy arrays (nested, in tuples and mappings too), moved here."""
        return cast(T, _moved(record, self))


def numpy_backend(dtype: Any = np.float32) -> Backend:
    """Arrays of numpy."""
    return Backend(numpy_namespace, np.dtype(dtype).type)


def _moved(value: Any, backend: Backend) -> Any:
    if isinstance(value, np.ndarray):
        return backend.asarray(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            f.name: _moved(getattr(value, f.name), backend) for f in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **fields)
    if isinstance(value, tuple):
        return tuple(_moved(v, backend) for v in value)
    if isinstance(value, Mapping):
        return {k: _moved(v, backend) for k, v in value.items()}
    return value


def asarray_like(xp: Namespace, values: NumpyArray, like: Array) -> Array:
    """Numbers of the host in the dtype and on the device of another array."""
    return values.astype(like.dtype) if is_numpy(xp) else xp.asarray(values).to(like)


def put_beside(xp: Namespace, values: NumpyArray, like: Array) -> Array:
    """An array of the host on the device of another array, in its own dtype."""
    return values if is_numpy(xp) else xp.asarray(values, device=like.device)


def to_numpy(array: Array) -> NumpyArray:
    """A copy on the host where it is not there already; detached from torch's graph."""
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(array.detach().cpu().numpy())


def per_person(**more: Any) -> Any:
    """A dataclass field whose first axis counts people (or starts), for `pick`."""
    return dataclasses.field(metadata={_PER_PERSON: True}, **more)


def pick(record: T, rows: Array) -> T:
    """Some of a record's people: every `per_person` field by rows, nested records too."""
    return mapped(lambda array: array[rows], record)


def where(xp: Namespace, choose: Array, one: T, other: T) -> T:
    """Of two records of people the first where `choose` (S,), the second elsewhere."""

    def chosen(a: Any, b: Any) -> Any:
        return xp.where(choose.reshape((-1, *[1] * (a.ndim - 1))), a, b)

    return mapped(chosen, one, other)


def concat(xp: Namespace, one: T, other: T) -> T:
    """People of one record, then those of another."""
    return mapped(lambda a, b: xp.concat((a, b), axis=0), one, other)


def put_rows(record: T, rows: Array, new: T) -> T:
    """A record with some of its people replaced by those of another."""

    def replaced(a: Any, b: Any) -> Any:
        a = a.copy() if isinstance(a, np.ndarray) else a.clone()
        a[rows] = b
        return a

    return mapped(replaced, record, new)


def mapped(change: Callable[..., Any], one: T, *others: T) -> T:
    """What counts people of records alike, changed together; the rest is the first's.

    change(array of the first, array of the second, ...) -> array.
    """
    return cast(T, _mapped(change, one, *others))


def _mapped(change: Callable[..., Any], one: Any, *others: Any) -> Any:
    if one is None:
        return None
    if isinstance(one, tuple):
        return tuple(_mapped(change, *items) for items in zip(one, *others, strict=True))
    if isinstance(one, Mapping):
        return {k: _mapped(change, v, *(o[k] for o in others)) for k, v in one.items()}
    if not dataclasses.is_dataclass(one) or isinstance(one, type):
        return change(one, *others)
    names = [f.name for f in dataclasses.fields(one) if f.metadata.get(_PER_PERSON)]
    values = {n: _mapped(change, *(getattr(r, n) for r in (one, *others))) for n in names}
    return dataclasses.replace(one, **values)


def spread_sum(xp: Namespace, values: Array, group: Array) -> Array:
    """For everybody the sum over the own group. (S, ...), group (S,) -> (S, ...)."""
    together = xp.astype(group[:, None] == group, values.dtype)
    return (together @ values.reshape((len(values), -1))).reshape(values.shape)


def quiet(xp: Namespace) -> contextlib.AbstractContextManager[Any]:
    """Overflow and division by zero pass without a warning, as they do in torch."""
    return np.errstate(all="ignore") if is_numpy(xp) else contextlib.nullcontext()


def eye_like(xp: Namespace, size: int, like: Array) -> Array:
    """Identity matrix in the dtype and on the device of another array."""
    if is_numpy(xp):
        return np.eye(size, dtype=like.dtype)
    return xp.eye(size, dtype=like.dtype, device=like.device)


def zeros_like(xp: Namespace, shape: tuple[int, ...], like: Array) -> Array:
    """Zeros in the dtype and on the device of another array."""
    if is_numpy(xp):
        return np.zeros(shape, like.dtype)
    return xp.zeros(shape, dtype=like.dtype, device=like.device)


def contiguous(xp: Namespace, array: Array) -> Array:
    """The same values side by side in memory."""
    return np.ascontiguousarray(array) if is_numpy(xp) else array.contiguous()


def arange_like(xp: Namespace, count: int, like: Array) -> Array:
    """0 .. count - 1 on the device of another array."""
    return np.arange(count) if is_numpy(xp) else xp.arange(count, device=like.device)


def in_batch(xp: Namespace, table: Array, index: Array) -> Array:
    """Each person's rows of each person's table. (S, N, ...), index (S, M) -> (S, M, ...)."""
    return table[arange_like(xp, table.shape[0], table)[:, None], index]


def any_used(xp: Namespace, weights: Array) -> Array | slice:
    """Columns (S, M) that weigh something for anybody; all where shapes must not depend on data."""
    return np.flatnonzero((weights > 0).any(0)) if is_numpy(xp) else slice(None)


def add_diagonal(xp: Namespace, matrix: Array, values: Array) -> Array:
    """matrix (..., n, n) + diag(values (..., n))."""
    return matrix + values[..., None] * eye_like(xp, matrix.shape[-1], matrix)


def solve_spd(xp: Namespace, a: Array, b: Array) -> tuple[Array, Array]:
    """Solves symmetric positive definite systems; one bad matrix never spoils a batch.

    a (..., n, n), b (..., n, k) -> x (..., n, k), ok (...): where `ok` is false, x is zero.
    """
    if is_numpy(xp):
        x = _lapack(np.linalg.solve, b, a, b)
    else:
        factor, info = xp.linalg.cholesky_ex(a)
        x = xp.where((info == 0)[..., None, None], xp.cholesky_solve(b, factor), xp.nan)
    ok = xp.all(xp.isfinite(x), axis=(-2, -1))
    return xp.where(ok[..., None, None], x, xp.zeros_like(x)), ok


def _lapack(function: Callable[..., Any], like: NumpyArray, *arrays: NumpyArray) -> NumpyArray:
    """A batch at once; where LAPACK refuses it, item by item, NaN for those that are the cause."""
    try:
        return np.asarray(function(*arrays))
    except np.linalg.LinAlgError:
        result = np.full(like.shape, np.nan, like.dtype)
        for index in np.ndindex(like.shape[:-2]):
            with contextlib.suppress(np.linalg.LinAlgError):
                result[index] = function(*(array[index] for array in arrays))
        return result


def cholesky(xp: Namespace, a: Array) -> Array:
    """Lower factors of symmetric positive definite matrices (..., n, n); NaN for what is none."""
    if is_numpy(xp):
        return _lapack(np.linalg.cholesky, a, a)
    factor, info = xp.linalg.cholesky_ex(a)
    return xp.where((info == 0)[..., None, None], factor, xp.nan)
