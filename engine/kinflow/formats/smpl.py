"""Our own .npz in SMPL's names, which `smplx.SMPL.forward` takes; and SMPL-X's."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.rotations import axis_angle_to_matrix
from ..records import NumpyArray
from ..userfiles import replacing
from .fields import Fields
from .motion import FPS, TO_Y_UP, Motion

HANDS = ("left_hand_pose", "right_hand_pose")
_NUMBERS = ("global_orient", "body_pose", "betas", "transl", *HANDS, "fps")
_WORDS = ("up", "gender", "body")


def read_smpl_npz(path: str | os.PathLike[str]) -> Motion:
    """Reads `body_pose` (23 joints of SMPL or 21 of SMPL-X), and what is there of `global_orient`,
    `transl`, `betas`, `left_hand_pose`, `right_hand_pose`, `fps`, `up`, `gender`, `body`.

    Rotations are axis-angle or matrices, a pose is a motion of one frame. Without `up`, it is told
    from how most frames stand (see `standing_up`). Raises AssetError naming the field.

    >>> import numpy as np, tempfile
    >>> path = tempfile.mkdtemp() + "/pose.npz"
    >>> np.savez(path, body_pose=np.zeros((1, 69)), betas=np.ones((1, 10)))
    >>> len(read_smpl_npz(path))
    1
    """
    return motion_of(Fields.read(path, (*_NUMBERS, *_WORDS), _WORDS))


def motion_of(fields: Fields) -> Motion:
    """Fields of these names -> Motion. Raises AssetError."""
    if "body_pose" not in fields:
        raise fields.fail("body_pose", "is missing")
    joints = fields.rotations("body_pose", (23, 21))
    frames = len(joints)
    body = np.zeros((frames, 23, 3))
    body[:, : joints.shape[1]] = joints
    root, transl = np.zeros((frames, 3)), np.zeros((frames, 3))
    if "global_orient" in fields:
        root = fields.rotations("global_orient", (1,))[:, 0]
    if "transl" in fields:
        transl = fields.vectors("transl", 3)
    motion = fields.motion(
        global_orient=root,
        body_pose=body.reshape(frames, 69),
        transl=transl,
        betas=fields.betas(),
        fps=fields.rate(("fps",), FPS),
        up=fields.word("up") or "y",
        left_hand_pose=fields.hand(HANDS[0], frames),
        right_hand_pose=fields.hand(HANDS[1], frames),
        gender=fields.gender(),
        body=fields.word("body"),
    )
    return motion if fields.word("up") else standing_up(motion)


def standing_up(motion: Motion) -> Motion:
    """The motion with the `up` along which the trunk points in most frames: people mostly stand.

    >>> import numpy as np
    >>> half_a_turn = np.tile([np.pi, 0, 0], (3, 1))
    >>> standing_up(Motion(half_a_turn, np.zeros((3, 69)), np.zeros((3, 3)))).up
    '-y'
    """
    trunk = axis_angle_to_matrix(xp, motion.global_orient)[..., 1]
    votes = {up: float(np.median(trunk @ turn[1])) for up, turn in TO_Y_UP.items()}
    return replace(motion, up=max(votes, key=lambda up: votes[up]))


def write_smpl_npz(path: str | os.PathLike[str], motion: Motion, pelvis: NumpyArray) -> None:
    """Writes `global_orient` (T, 3), `body_pose` (T, 69), `betas` (1, 10), `transl` (T, 3), the
    hands (T, 45) where there are some, `fps`, `up` ("y"), `gender` and `body`, Y up.

    pelvis (3,): the rest pose's pelvis joint, m. Raises AssetError where it cannot be written.

    >>> import numpy as np, tempfile
    >>> path = tempfile.mkdtemp() + "/still.npz"
    >>> still = Motion(np.zeros((60, 3)), np.zeros((60, 69)), np.zeros((60, 3)), fps=24)
    >>> write_smpl_npz(path, still, pelvis=np.array([0, -0.22, 0.03]))
    >>> read_smpl_npz(path).seconds
    2.5
    """
    upright = motion.with_up("y", pelvis)
    arrays: dict[str, NumpyArray] = {
        name: getattr(upright, name) for name in ("global_orient", "body_pose", "transl")
    }
    arrays["betas"] = motion.betas[None]
    for name in HANDS:
        hand = getattr(motion, name)
        if hand is not None:
            arrays[name] = hand.reshape(len(motion), -1)
    words = {name: np.array(getattr(upright, name)) for name in _WORDS}
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(stream, fps=np.array(motion.fps), **arrays, **words)
