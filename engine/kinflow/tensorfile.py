"""Reading and writing safetensors files with numpy alone.

Blender's Python has no `safetensors`, and its wheel is compiled; the format is small enough to read
here: `uint64 little-endian header length | JSON header | raw arrays`. Files written here are read by
the `safetensors` package and the other way round (tested).
"""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import numpy as np

from .errors import AssetError

FORMAT_VERSION = 1
MAX_HEADER_BYTES = 4 << 20
_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
_NAMES = {np.dtype(v): k for k, v in _DTYPES.items()}


def write_tensors(
    path: str | os.PathLike, tensors: dict[str, np.ndarray], metadata: dict[str, str]
) -> None:
    """Writes arrays and string metadata; the same input gives the same bytes."""
    header: dict[str, object] = {"__metadata__": {k: str(v) for k, v in sorted(metadata.items())}}
    offset, blobs = 0, []
    for name in sorted(tensors, key=lambda n: (-tensors[n].dtype.itemsize, n)):
        array = np.ascontiguousarray(tensors[name])
        blob = array.tobytes()
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = Path(f"{path}.part")
    with open(temporary, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)))
        stream.write(text)
        stream.writelines(blobs)
    os.replace(temporary, path)


def read_tensors(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads a safetensors file.

    Returns the arrays (read-only views of one buffer) and the metadata.
    Raises AssetError for a missing, truncated or inconsistent file, naming the field.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise AssetError(f"Cannot read {path}: {error.strerror}.", "Check the path.") from error
    damaged = "The file is damaged; install or export it again."
    if len(data) < 8:
        raise AssetError(f"{path} is too short to be a safetensors file.", damaged)
    (length,) = struct.unpack_from("<Q", data)
    if length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise AssetError(f"{path} has a header longer than the file.", damaged)
    try:
        header = json.loads(data[8 : 8 + length])
        metadata = header.pop("__metadata__", {})
    except (ValueError, AttributeError, RecursionError) as error:
        raise AssetError(f"{path} has an unreadable header.", damaged) from error
    body = memoryview(data)[8 + length :]
    tensors = {}
    for name, entry in header.items():
        try:
            dtype = np.dtype(_DTYPES[entry["dtype"]])
            shape = tuple(int(n) for n in entry["shape"])
            begin, end = (int(n) for n in entry["data_offsets"])
            count = int(np.prod(shape, dtype=object)) if shape else 1
            if (
                min(shape, default=0) < 0
                or not 0 <= begin <= end <= len(body)
                or end - begin != count * dtype.itemsize
            ):
                raise ValueError("offsets")
        except (KeyError, TypeError, ValueError) as error:
            raise AssetError(
                f"{path}: field '{name}' is cut off or inconsistent.", damaged
            ) from error
        tensors[name] = np.frombuffer(body[begin:end], dtype).reshape(shape)
    return tensors, {str(k): str(v) for k, v in metadata.items()}


def check_header(path: str | os.PathLike, metadata: dict[str, str], kind: str) -> None:
    """Raises AssetError unless the metadata names this kind of asset in a version that is known here."""
    if metadata.get("kinflow_kind") != kind:
        raise AssetError(
            f"{path} is not a kinflow {kind}.", f"Give a file that kinflow wrote as a {kind}."
        )
    try:
        version = int(metadata.get("format_version", ""))
    except ValueError:
        raise AssetError(
            f"{path} has no format_version.", "Export it again with this kinflow."
        ) from None
    if version > FORMAT_VERSION:
        raise AssetError(
            f"{path} has format version {version}; this kinflow reads up to {FORMAT_VERSION}.",
            "Update kinflow.",
        )
