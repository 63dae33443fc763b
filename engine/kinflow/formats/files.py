"""Any motion file, by its name's ending."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..bodies.arrays import BodyArrays, default_body_arrays
from ..errors import AssetError, InvalidInputError
from ..meshfile import write_obj
from ..userfiles import npz_names, replacing
from .amass import read_amass, write_amass
from .bvh import read_bvh_motion, write_bvh
from .fields import HINT
from .fits import read_fit
from .gltf import write_glb
from .motion import Motion
from .posed import posed_mesh
from .smpl import read_smpl_npz, write_smpl_npz
from .tools import read_tool_npz

NpzKind = Literal["smpl", "amass"]
PICKLES = {".pkl", ".pickle", ".p", ".pt", ".pth", ".joblib", ".npy"}
READ = (".npz", ".bvh", ".bvh.gz")
WRITTEN = (".npz", ".bvh", ".glb", ".obj")


def read_motion(path: str | os.PathLike[str], *, body: BodyArrays | None = None) -> Motion:
    """Reads a motion: .npz (a fit of kinflow, SMPL's or SMPL-X's names, AMASS, what other tools
    fitted) or .bvh, told by its ending and its content.

    body: who shall move so, the default body where it is left out: a .bvh says only where the
    pelvis is. Raises AssetError or InvalidInputError, with the field or line.

    >>> import numpy as np, tempfile
    >>> from kinflow.formats import Motion, read_motion, write_motion
    >>> path = tempfile.mkdtemp() + "/still.bvh"
    >>> write_motion(path, Motion(np.zeros((60, 3)), np.zeros((60, 69)), np.zeros((60, 3))))
    >>> read_motion(path).seconds
    2.0
    """
    path = Path(path)
    name = path.name.lower()
    if path.suffix.lower() in PICKLES:
        raise AssetError(
            f"{path} may be a pickle, which can run code when it is opened.",
            "Save it as .npz where it was made: numpy.savez('motion.npz', global_orient=..., "
            "body_pose=..., betas=..., transl=...)",
        )
    if name.endswith((".bvh", ".bvh.gz")):
        return read_bvh_motion(path, (body or default_body_arrays()).J_template[0])
    if not name.endswith(".npz"):
        raise InvalidInputError(
            f"{path} is of no kind of motion that is read here.", f"Give {', '.join(READ)}."
        )
    return _read_npz(path)


def _read_npz(path: Path) -> Motion:
    names = set(npz_names(path, HINT))
    if "header" in names:
        return read_fit(path)
    if "body_pose" in names and "pose_world" not in names:
        return read_smpl_npz(path)
    if {"poses", "trans"} <= names or {"poses", "mocap_framerate"} <= names:
        return read_amass(path)
    return read_tool_npz(path)


def write_motion(
    path: str | os.PathLike[str],
    motion: Motion,
    *,
    body: BodyArrays | None = None,
    kind: NpzKind = "smpl",
    frame: int = 0,
) -> None:
    """Writes a motion as its path's ending says: .npz (kind "smpl": SMPL's names, Y up; "amass": Z
    up), .bvh, .glb (mesh, skin and animation), .obj (the mesh of one `frame`).

    body: whose pelvis, joints and mesh, the default body where it is left out; betas of another
    body's shape directions then are not used for them (`shaped_for`). Raises InvalidInputError for
    another ending, AssetError where the file cannot be written.

    >>> import numpy as np, tempfile
    >>> from kinflow.formats import Motion, write_motion
    >>> still = Motion(np.zeros((60, 3)), np.zeros((60, 69)), np.zeros((60, 3)))
    >>> write_motion(tempfile.mkdtemp() + "/still.npz", still, kind="amass")
    """
    suffix = Path(path).suffix.lower()
    who = body or default_body_arrays()
    shaped = motion if body else shaped_for(motion, who)
    joints = who.joints(shaped.betas)
    if suffix == ".npz":
        write = write_amass if kind == "amass" else write_smpl_npz
        write(path, motion, joints[0])
    elif suffix == ".bvh":
        write_bvh(path, shaped, joints)
    elif suffix == ".glb":
        write_glb(path, shaped, who)
    elif suffix == ".obj":
        if not 0 <= frame < len(motion):
            why = f"There is no frame {frame} of {len(motion)}."
            raise InvalidInputError(why, "The first one is 0.")
        upright = shaped.with_up("y", joints[0])
        with replacing(path) as temporary:
            write_obj(temporary, posed_mesh(upright, who, frame), who.faces, "pose")
    else:
        raise InvalidInputError(
            f"{path} is of no kind that is written here.", f"Name a {', '.join(WRITTEN)}."
        )


def shaped_for(motion: Motion, body: BodyArrays) -> Motion:
    """The motion with mean betas where its own are of another body's shape directions: a number
    that makes SMPL taller would make the default body something else.

    >>> import numpy as np
    >>> from kinflow.bodies.files import load_body_arrays
    >>> zeros = [np.zeros((1, width)) for width in (3, 69, 3)]
    >>> tall = Motion(*zeros, betas=np.ones(10), body="smpl")
    >>> float(shaped_for(tall, load_body_arrays()).betas.sum())
    0.0
    """
    if motion.body in ("", body.name):
        return motion
    return replace(motion, betas=np.zeros_like(motion.betas), body=body.name)
