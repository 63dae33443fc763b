"""The frame format between Blender (or any client) and the engine (numpy and standard library only).

Frame: `uint32 little-endian header length | JSON header | raw little-endian arrays`. The header lists the arrays'
types and shapes; their bytes follow in order. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import fields
from typing import Any

import numpy as np

from .errors import ProtocolError
from .records import Camera, FitResult, Hypothesis, Observation

PROTOCOL = 1
MAX_HEADER = 1 << 20
MAX_ARRAYS = 256 << 20
MAX_ARRAY_COUNT = 4096
MAX_DEPTH = 24
_DTYPES = {
    name: np.dtype(name).newbyteorder("<")
    for name in (
        "bool",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "uint32",
        "int32",
        "uint64",
        "int64",
        "float16",
        "float32",
        "float64",
    )
}
_RECORDS = {cls.__name__: cls for cls in (Camera, Observation, FitResult, Hypothesis)}


def _encode(value: Any, arrays: list[np.ndarray], depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise ProtocolError("A message is nested too deeply.")
    if isinstance(value, np.ndarray):
        if value.dtype.name not in _DTYPES:
            raise ProtocolError(f"Arrays of type {value.dtype} cannot be sent.")
        arrays.append(value)
        return {"$array": len(arrays) - 1}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, dict):
        return {str(k): _encode(v, arrays, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(v, arrays, depth + 1) for v in value]
    name = type(value).__name__
    if name in _RECORDS and isinstance(value, _RECORDS[name]):
        return {"$record": name} | {
            f.name: _encode(getattr(value, f.name), arrays, depth + 1) for f in fields(value)
        }
    raise ProtocolError(f"A {name} cannot be sent.")


def _decode(value: Any, arrays: list[np.ndarray], depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise ProtocolError("A message is nested too deeply.")
    if isinstance(value, list):
        return [_decode(v, arrays, depth + 1) for v in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        index = value["$array"]
        if not isinstance(index, int) or not 0 <= index < len(arrays):
            raise ProtocolError("A message refers to an array that it does not carry.")
        return arrays[index]
    if "$float" in value:
        try:
            return float(value["$float"])
        except (TypeError, ValueError) as error:
            raise ProtocolError("A number is malformed.") from error
    plain = {k: _decode(v, arrays, depth + 1) for k, v in value.items() if k != "$record"}
    if "$record" not in value:
        return plain
    cls = _RECORDS.get(value["$record"])
    if cls is None or set(plain) - {f.name for f in fields(cls)}:
        raise ProtocolError("A message holds an unknown record.")
    if cls is FitResult:
        plain["hypotheses"] = tuple(plain.get("hypotheses", ()))
    try:
        return cls(**plain)
    except TypeError as error:
        raise ProtocolError(f"A {value['$record']} lacks fields: {error}") from error


def pack(message: dict[str, Any]) -> bytes:
    """Message -> frame. Raises ProtocolError where it is too large or holds what cannot be sent."""
    arrays: list[np.ndarray] = []
    body = _encode(message, arrays)
    specs = [{"dtype": a.dtype.name, "shape": list(a.shape)} for a in arrays]
    header = json.dumps(
        {"body": body, "arrays": specs}, separators=(",", ":"), allow_nan=False
    ).encode()
    blobs = [np.ascontiguousarray(a, _DTYPES[a.dtype.name]).tobytes() for a in arrays]
    if len(header) > MAX_HEADER or sum(map(len, blobs)) > MAX_ARRAYS:
        raise ProtocolError(
            "A message is too large for one frame.", "Send fewer or smaller photos at once."
        )
    return b"".join((struct.pack("<I", len(header)), header, *blobs))


class FrameReader:
    """Turns a byte stream into messages. It never allocates what a header merely claims: bytes are kept as they come."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._header: dict[str, Any] | None = None
        self._length = 0
        self._specs: list[tuple[np.dtype, tuple[int, ...], int]] = []

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Messages completed by these bytes. Raises ProtocolError on a frame that breaks the rules."""
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> dict[str, Any] | None:
        if self._header is None:
            if len(self._buffer) < 4:
                return None
            (length,) = struct.unpack_from("<I", self._buffer)
            if length > MAX_HEADER:
                raise ProtocolError(
                    f"A frame claims a header of {length} bytes; at most {MAX_HEADER} are allowed."
                )
            if len(self._buffer) < 4 + length:
                return None
            self._read_header(bytes(self._buffer[4 : 4 + length]))
            del self._buffer[: 4 + length]
        if len(self._buffer) < self._length:
            return None
        arrays, offset = [], 0
        data = bytes(self._buffer[: self._length])
        for dtype, shape, size in self._specs:
            array = np.frombuffer(data, dtype, count=size // dtype.itemsize, offset=offset).reshape(
                shape
            )
            arrays.append(array.astype(dtype.newbyteorder("="), copy=True))
            offset += size
        del self._buffer[: self._length]
        header, self._header = self._header or {}, None
        message = _decode(header["body"], arrays)
        if not isinstance(message, dict):
            raise ProtocolError("A frame's body is no object.")
        return message

    def _read_header(self, raw: bytes) -> None:
        try:
            header = json.loads(raw)
            specs = header["arrays"]
            if (
                not isinstance(header["body"], dict)
                or not isinstance(specs, list)
                or len(specs) > MAX_ARRAY_COUNT
            ):
                raise ValueError("shape")
            self._specs = []
            for spec in specs:
                dtype = _DTYPES[spec["dtype"]]
                shape = tuple(spec["shape"])
                if len(shape) > 8 or any(
                    type(n) is not int or not 0 <= n <= MAX_ARRAYS for n in shape
                ):
                    raise ValueError("shape")
                self._specs.append((dtype, shape, math.prod(shape) * dtype.itemsize))
        except (ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
            raise ProtocolError("A frame's header is not understood.") from error
        self._length = sum(size for *_, size in self._specs)
        if self._length > MAX_ARRAYS:
            raise ProtocolError(
                f"A frame claims {self._length} bytes of arrays; at most {MAX_ARRAYS} are allowed."
            )
        self._header = header
