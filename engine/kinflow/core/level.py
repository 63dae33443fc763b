"""How a camera is held: which way is down before it, and how far below it the floor lies.

People of one photo share both. Pitch p is above 0 where the camera looks up, roll r where it is
turned clockwise; gravity in the camera's frame is (sin r cos p, cos r cos p, -sin p).
"""

from .arrays import Array, Namespace
from .posterior import Block

GRAVITY = Block("gravity", 2, shared=True)  # pitch and roll, radians
FLOOR = Block("floor", 1, shared=True)  # m below the camera, along gravity


def down(xp: Namespace, angles: Array) -> tuple[Array, Array]:
    """Pitch and roll (S, 2) radians -> gravity (S, 3) of length 1, its slopes (S, 3, 2) by both."""
    sine, cosine = xp.sin(angles), xp.cos(angles)
    sp, sr, cp, cr = sine[:, 0], sine[:, 1], cosine[:, 0], cosine[:, 1]
    zero = xp.zeros_like(sp)
    gravity = xp.stack((sr * cp, cr * cp, -sp), axis=-1)
    by_pitch = xp.stack((-sr * sp, -cr * sp, -cp), axis=-1)
    by_roll = xp.stack((cr * cp, -sr * cp, zero), axis=-1)
    return gravity, xp.stack((by_pitch, by_roll), axis=-1)
