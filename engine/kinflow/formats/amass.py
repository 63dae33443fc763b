"""AMASS's .npz (Mahmood et al. 2019): poses of SMPL-H, SMPL-X or SMPL, Z up."""

from __future__ import annotations

import os

import numpy as np

from ..records import NumpyArray
from ..userfiles import replacing
from .fields import Fields
from .motion import FINGERS, LARGEST_ANGLE, Motion

_RATES = ("mocap_framerate", "mocap_frame_rate")
_NAMES = ("poses", "trans", "betas", *_RATES, "gender", "smpl_hands", "kinflow_body")
_FPS = 120.0  # AMASS's usual rate
_BODY, _HANDS = 66, 3 * FINGERS  # the root and 21 joints; the fingers of a hand
# the first of the fingers' columns by the width of `poses`; SMPL-X has jaw and eyes before them
_FINGERS = {156: _BODY, 165: _BODY + 9}
_MODELS = {72: "smpl", 156: "smplh", 165: "smplx"}


def read_amass(path: str | os.PathLike[str]) -> Motion:
    """Reads `poses` (T, 66, 72, 156 or 165), `trans`, `betas`, `gender` and the frame rate.

    The motion keeps AMASS's frame, Z up. 66: the root and 21 joints; 72: SMPL's 24; 156: SMPL-H
    with fingers; 165: SMPL-X, whose jaw and eyes are left out. Of `betas` the first ten are kept.
    Raises AssetError naming the field.

    >>> import numpy as np, tempfile
    >>> path = tempfile.mkdtemp() + "/walk.npz"
    >>> np.savez(path, poses=np.zeros((240, 156)), trans=np.zeros((240, 3)), mocap_framerate=120.0)
    >>> motion = read_amass(path)
    >>> motion.seconds, motion.up, motion.body
    (2.0, 'z', 'smplh')
    """
    fields = Fields.read(path, _NAMES, ("gender", "kinflow_body"))
    if "poses" not in fields or fields.arrays["poses"].ndim != 2:
        raise fields.fail("poses", "should be there, of shape (frames, at least 66)")
    width = fields.arrays["poses"].shape[1]
    poses = fields.vectors("poses", min(max(width, _BODY), 165))
    frames = len(poses)
    if np.abs(poses).max() > LARGEST_ANGLE:
        raise fields.fail("poses", "holds angles that make no sense")
    transl = fields.vectors("trans", 3) if "trans" in fields else np.zeros((frames, 3))
    if len(transl) != frames:
        raise fields.fail("trans", f"should hold {frames} frames, as 'poses' does")
    body = np.zeros((frames, 69))
    body[:, : _BODY - 3] = poses[:, 3:_BODY]
    if width == 72:
        body[:, _BODY - 3 :] = poses[:, _BODY:]
    elif "smpl_hands" in fields:
        body[:, _BODY - 3 :] = fields.vectors("smpl_hands", 6)
    left, right = _fingers(poses, width)
    return fields.motion(
        global_orient=poses[:, :3],
        body_pose=body,
        transl=transl,
        betas=fields.betas(),
        fps=fields.rate(_RATES, _FPS),
        up="z",
        left_hand_pose=left,
        right_hand_pose=right,
        gender=fields.gender(),
        body=fields.word("kinflow_body") or _MODELS.get(width, ""),
    )


def _fingers(poses: NumpyArray, width: int) -> tuple[NumpyArray | None, NumpyArray | None]:
    first = _FINGERS.get(width)
    if first is None or not poses[:, first:].any():
        return None, None
    hands = poses[:, first : first + 2 * _HANDS].reshape(len(poses), 2, FINGERS, 3)
    return hands[:, 0], hands[:, 1]


def write_amass(path: str | os.PathLike[str], motion: Motion, pelvis: NumpyArray) -> None:
    """Writes `poses` (T, 156), `trans`, `betas`, `gender` and `mocap_framerate`, Z up.

    pelvis (3,): the rest pose's pelvis joint, m. SMPL-H has no joints for SMPL's two hands: their
    rotations stand in a field of their own, `smpl_hands` (T, 6), and come back with `read_amass`.
    Raises AssetError where the file cannot be written.

    >>> import numpy as np, tempfile
    >>> path = tempfile.mkdtemp() + "/still.npz"
    >>> still = Motion(np.zeros((60, 3)), np.zeros((60, 69)), np.zeros((60, 3)))
    >>> write_amass(path, still, pelvis=np.array([0, -0.22, 0.03]))
    >>> np.load(path)["poses"].shape
    (60, 156)
    """
    upright = motion.with_up("z", pelvis)
    hands = [
        np.zeros((len(motion), _HANDS)) if hand is None else hand.reshape(len(motion), -1)
        for hand in (motion.left_hand_pose, motion.right_hand_pose)
    ]
    body = upright.body_pose
    poses = np.concatenate((upright.global_orient, body[:, : _BODY - 3], *hands), 1)
    with replacing(path) as temporary, open(temporary, "wb") as stream:
        np.savez_compressed(
            stream,
            poses=poses,
            trans=upright.transl,
            betas=motion.betas,
            gender=np.array(motion.gender),
            mocap_framerate=np.array(motion.fps),
            smpl_hands=body[:, _BODY - 3 :],
            kinflow_body=np.array(motion.body),
        )
