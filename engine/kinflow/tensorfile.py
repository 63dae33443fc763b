"""Reading and writing safetensors files with numpy alone.

Blender's Python has no `safetensors`, and its wheel is compiled; the format is small enough to
read here: `uint64 little-endian header length | JSON header | raw arrays`. Files written here are
read by the `safetensors` package and the other way round (tested).
"""

import json
import os
import struct

import numpy as np

from .errors import AssetError
from .userfiles import array_of, parsing, read_bytes, replacing

FORMAT_VERSION = 1
MAX_MB = 1024
DAMAGED = "The file is damaged; install or export it again."
MAX_HEADER_BYTES = 4 << 20
_DTYPES = {
    **{"F64": np.float64, "F32": np.float32, "F16": np.float16, "BOOL": np.bool_},
    **{"I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8},
    **{"U32": np.uint32, "U16": np.uint16, "U8": np.uint8},
}
_NAMES = {np.dtype(v): k for k, v in _DTYPES.items()}


def write_tensors(
    path: str | os.PathLike, tensors: dict[str, np.ndarray], metadata: dict[str, str]
) -> None:
    """Writes arrays and string metadata; the same input gives the same bytes. Raises AssetError."""
    header: dict[str, object] = {"__metadata__": {k: str(v) for k, v in sorted(metadata.items())}}
    offset, blobs = 0, []
    for name in sorted(tensors, key=lambda n: (-tensors[n].dtype.itemsize, n)):
        array = np.ascontiguousarray(tensors[name])
        blob = array.tobytes()
        entry = {"dtype": _NAMES[array.dtype], "shape": list(array.shape)}
        header[name] = entry | {"data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        stream.writelines([struct.pack("<Q", len(text)), text, *blobs])


def read_tensors(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads a safetensors file.

    Returns the arrays (read-only views of one buffer) and the metadata.
    Raises AssetError for a missing, truncated or inconsistent file, naming the field.
    """
    data = read_bytes(path, MAX_MB)
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise AssetError(f"{path} is cut off, or no safetensors file.", DAMAGED)
    with parsing(path, DAMAGED, kind="safetensors file"):
        header = json.loads(data[8 : 8 + length])
        metadata = {str(k): str(v) for k, v in header.pop("__metadata__", {}).items()}
    body = memoryview(data)[8 + length :]
    tensors = {}
    for name, entry in header.items():
        with parsing(f"{path}: field '{name}'", DAMAGED):
            begin, end = entry["data_offsets"]
            if not 0 <= begin <= end <= len(body):
                raise ValueError("it is cut off")
            dtype = np.dtype(_DTYPES[entry["dtype"]]).newbyteorder("<")
            tensors[name] = array_of(body[begin:end], dtype, tuple(entry["shape"]))
    if sum(array.nbytes for array in tensors.values()) > len(body):
        raise AssetError(f"{path} uses the same bytes for several fields.", DAMAGED)
    return tensors, metadata


def check_header(path: str | os.PathLike, metadata: dict[str, str], kind: str) -> None:
    """Raises AssetError unless the metadata names this kind of asset in a version known here."""
    if metadata.get("kinflow_kind") != kind:
        hint = f"Give a file that kinflow wrote as a {kind}."
        raise AssetError(f"{path} is not a kinflow {kind}.", hint)
    try:
        version = int(metadata.get("format_version", ""))
    except ValueError:
        hint = "Export it again with this kinflow."
        raise AssetError(f"{path} has no format_version.", hint) from None
    if version > FORMAT_VERSION:
        known = f"this kinflow reads up to {FORMAT_VERSION}"
        raise AssetError(f"{path} has format version {version}; {known}.", "Update kinflow.")
