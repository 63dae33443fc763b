"""Poses that other tools fit to photos and videos, saved as .npz: 4D-Humans', WHAM's and TRAM's
kind, by the names that they give to SMPL's parameters."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from types import MappingProxyType

from ..userfiles import npz_names
from .fields import HINT, Fields
from .motion import Motion
from .smpl import HANDS, motion_of, standing_up

_ALIASES = {
    "body_pose": ("body_pose", "pose_body"),
    "global_orient": ("global_orient", "root_orient"),
    "whole": ("pose", "poses", "thetas", "full_pose"),
    "betas": ("betas", "shape"),
    "transl": ("transl", "trans", "cam_t_full", "cam_t"),
    "fps": ("fps", "frame_rate", "framerate", "mocap_framerate", "mocap_frame_rate"),
    **{hand: (hand,) for hand in HANDS},
    "gender": ("gender",),
}
# WHAM gives a pose in the camera's frame, and one in the world, which is what a motion is
_WORLD = {"whole": ("pose_world",), "transl": ("trans_world",)}
_AROUND = ("pred_", "smpl_", "params_")


def plain_name(name: str) -> str:
    """What a name says without the tool's own words around it.

    >>> [plain_name(n) for n in ("pred_smpl_params/body_pose", "smpl_params.betas", "pred_cam_t")]
    ['body_pose', 'betas', 'cam_t']
    """
    last = re.split("[./]", name)[-1]
    for word in _AROUND:
        last = last.removeprefix(word)
    return last


def read_tool_npz(path: str | os.PathLike[str]) -> Motion:
    """Reads `global_orient` and `body_pose`, or a whole `pose` (T, 24 joints), with `betas` and a
    translation, whatever stands around the names (`pred_`, `smpl_params.`, a folder).

    Rotations are axis-angle or matrices. A pose in the world (`pose_world`, `trans_world`) is
    preferred to one in the camera's frame. Which way is up is told from how most frames stand.
    Pickles inside are left out. Raises AssetError naming the field.

    >>> import numpy as np, tempfile
    >>> path = tempfile.mkdtemp() + "/wham.npz"
    >>> np.savez(path, pose_world=np.zeros((50, 72)), trans_world=np.zeros((50, 3)))
    >>> len(read_tool_npz(path))
    50
    """
    names = fields_of_tools(path)
    arrays = Fields.read(path, set(names.values()), ("gender",)).arrays
    known = {key: arrays[name] for key, name in names.items() if name in arrays}
    fields = Fields(path, MappingProxyType(known))
    if "whole" in fields and (names["whole"].endswith("_world") or "body_pose" not in fields):
        whole = fields.rotations("whole", (24, 22, 52, 55))
        joints = 24 if whole.shape[1] == 24 else 22  # SMPL-H's and SMPL-X's go on with the fingers
        known |= {"global_orient": whole[:, :1], "body_pose": whole[:, 1:joints]}
        if names["whole"].endswith("_world") and names.get("transl") != _WORLD["transl"][0]:
            known.pop("transl", None)  # a place before the camera
    motion = motion_of(fields)
    return replace(standing_up(motion), body=motion.body or "smpl")


def fields_of_tools(path: str | os.PathLike[str]) -> dict[str, str]:
    """Our names of what an .npz holds -> its own. Raises AssetError."""
    stored: dict[str, str] = {}
    for name in sorted(npz_names(path, HINT), key=_in_camera):
        stored.setdefault(plain_name(name), name)
    result: dict[str, str] = {}
    for names in (_ALIASES, _WORLD):
        for key, aliases in names.items():
            if there := [alias for alias in aliases if alias in stored]:
                result[key] = stored[there[0]]
    return result


def _in_camera(name: str) -> tuple[bool, int]:
    """Orders names: those in the camera's frame come last, then the longer ones."""
    return "incam" in name, len(name)
