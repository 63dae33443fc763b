"""What a message may hold, as JSON and arrays: plain data, numpy arrays and kinflow's records.

A record's form follows from its annotated fields alone, so a new field needs nothing here. Both
sides check the same rules: what `Encoder` accepts, `Decoder` does.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ..errors import ProtocolError
from ..posing import Effector, Floor, IKResult, Pose
from ..records import Camera, FitResult, Hypothesis, Observation, PriorId

Array = NDArray[Any]
MAX_DEPTH = 24
DTYPES = {
    name: np.dtype(name).newbyteorder("<")
    for name in (
        *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
        *("float16", "float32", "float64"),
    )
}
_FLOATS = {repr(value): value for value in (math.nan, math.inf, -math.inf)}
_KINDS = (Camera, Observation, FitResult, Hypothesis, PriorId, Effector, Floor, Pose, IKResult)
_RECORDS: dict[str, type] = {cls.__name__: cls for cls in _KINDS}
_FIELDS = {name: get_type_hints(cls) for name, cls in _RECORDS.items()}
_NO_VERTICES, _NO_FACES = np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32)


def without_mesh(result: FitResult) -> FitResult:
    """The result with no vertices and no faces: a hundredth of the bytes."""
    return replace(result, vertices=_NO_VERTICES, faces=_NO_FACES)


class Encoder:
    """Values -> JSON nodes; arrays are handed to `keep`, which returns their number.

    full() is asked after each item of a list; where it says so, `spill` takes the list's items so
    far and returns the list's number: a long list travels in pieces.
    """

    def __init__(
        self,
        keep: Callable[[Array], int],
        full: Callable[[], bool],
        spill: Callable[[int | None, list[Any]], int],
    ) -> None:
        self._keep, self._full, self._spill = keep, full, spill
        self.text = 0

    def encode(self, value: Any, depth: int = 0) -> Any:
        """Raises ProtocolError for what is no data."""
        if depth > MAX_DEPTH:
            raise ProtocolError("A message is nested too deeply.")
        self.text += 16
        if isinstance(value, np.ndarray):
            if value.dtype.name not in DTYPES:
                raise ProtocolError(f"Arrays of type {value.dtype} cannot be sent.")
            return {"$array": self._keep(value)}
        if isinstance(value, np.generic) and value.dtype.name in DTYPES:
            value = value.item()
        name = type(value).__name__
        if _RECORDS.get(name) is type(value):
            return {"$record": name} | self._record(name, value, depth)
        if isinstance(value, dict):
            return self._dict(value, depth)
        if isinstance(value, (list, tuple)):
            return self._list(value, depth)
        return self._scalar(value)

    def _scalar(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            self.text += 2 * len(value)
            return str(value)
        if isinstance(value, int) and value.bit_length() <= 64:
            return int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
        raise ProtocolError(f"A {type(value).__name__} such as {value!r:.40} cannot be sent.")

    def _record(self, name: str, value: Any, depth: int) -> dict[str, Any]:
        nodes = {}
        for field, hint in _FIELDS[name].items():
            item = getattr(value, field)
            if not _is(item, hint):
                raise ProtocolError(f"The {field} of a {name} is a {type(item).__name__}.")
            nodes[field] = self.encode(item, depth + 1)
        return nodes

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        nodes = {}
        for key, item in value.items():
            if not isinstance(key, str):
                raise ProtocolError("A message's keys are texts.")
            self.text += 2 * len(key)
            # a key of the user's is never taken for one of ours
            nodes[f"${key}" if key.startswith("$") else key] = self.encode(item, depth + 1)
        return nodes

    def _list(self, value: list[Any] | tuple[Any, ...], depth: int) -> Any:
        nodes: list[Any] = []
        number = None
        for item in value:
            nodes.append(self.encode(item, depth + 1))
            if self._full():
                number, nodes = self._spill(number, nodes), []
        if number is None:
            return nodes
        return {"$list": self._spill(number, nodes) if nodes else number}


class Decoder:
    """JSON nodes -> values, with the arrays and the pieces of lists that came with them."""

    def __init__(self) -> None:
        self.arrays: list[Array] = []
        self.lists: dict[int, list[Any]] = {}

    def decode(self, node: Any, depth: int = 0) -> Any:
        """Raises ProtocolError for whatever `Encoder` does not write."""
        if depth > MAX_DEPTH:
            raise ProtocolError("A message is nested too deeply.")
        if isinstance(node, list):
            return [self.decode(item, depth + 1) for item in node]
        if isinstance(node, int) and node.bit_length() > 64:
            raise ProtocolError("A number is too large.")
        if not isinstance(node, dict):
            return node
        if "$record" in node:
            return self._record(node, depth)
        if len(node) == 1 and (special := next(iter(node))) in ("$array", "$list", "$float"):
            return self._special(special, node[special])
        return {_key(k): self.decode(item, depth + 1) for k, item in node.items()}

    def _special(self, kind: str, value: Any) -> Any:
        if kind == "$array" and type(value) is int and 0 <= value < len(self.arrays):
            return self.arrays[value]
        if kind == "$list" and type(value) is int and value in self.lists:
            return self.lists.pop(value)
        if kind == "$float" and isinstance(value, str) and value in _FLOATS:
            return _FLOATS[value]
        raise ProtocolError(f"A message holds a malformed {kind[1:]}.")

    def _record(self, node: dict[str, Any], depth: int) -> Any:
        name = node["$record"]
        if not isinstance(name, str) or name not in _RECORDS:
            raise ProtocolError("A message holds an unknown record.")
        hints = _FIELDS[name]
        if set(node) != {"$record", *hints}:
            raise ProtocolError(f"A {name} lacks fields, or has some that are unknown.")
        values = {}
        for field, hint in hints.items():
            value = self.decode(node[field], depth + 1)
            if not _is(value, hint):
                raise ProtocolError(f"The {field} of a {name} is a {type(value).__name__}.")
            values[field] = tuple(value) if isinstance(value, list) else value
        return _RECORDS[name](**values)


def _key(key: str) -> str:
    if not key.startswith("$"):
        return key
    if not key.startswith("$$"):
        raise ProtocolError("A message holds a malformed key.")
    return key[1:]


def _is(value: Any, hint: Any) -> bool:
    """Whether a record's field holds what its annotation says; tuples may come as lists."""
    origin, inner = get_origin(hint), get_args(hint)
    if isinstance(value, np.generic):
        value = value.item()
    if hint is Any:
        return True
    if origin in (Union, UnionType):
        return any(_is(value, choice) for choice in inner)
    if origin is tuple and isinstance(value, (list, tuple)):
        hints = inner[:1] * len(value) if Ellipsis in inner else inner
        return len(value) == len(hints) and all(map(_is, value, hints))
    if origin is dict:
        return isinstance(value, dict) and all(
            _is(k, inner[0]) and _is(v, inner[1]) for k, v in value.items()
        )
    if hint in (int, float):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole or (isinstance(value, float) and (hint is float or value.is_integer()))
    return isinstance(value, origin or hint)
