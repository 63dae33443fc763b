"""Meshes as Wavefront OBJ."""

from __future__ import annotations

import os

from .observations import NumpyArray


def write_obj(
    path: str | os.PathLike[str], vertices: NumpyArray, faces: NumpyArray, what: str
) -> None:
    """vertices (V, 3) in metres with Y up, faces (F, 3) from 0; what: a line of comment."""
    with open(path, "w", encoding="ascii") as stream:
        stream.write(f"# kinflow {what}, metres, Y up\n")
        stream.writelines(f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in vertices)
        stream.writelines(f"f {a} {b} {c}\n" for a, b, c in faces + 1)
