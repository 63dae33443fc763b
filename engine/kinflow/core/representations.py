"""How a flow sees 23 joint rotations: as 6D (138), as axis-angle (69) or as matrices (207)."""

from . import rotations
from .arrays import Array, Namespace, add_diagonal, eye_like, solve_spd
from .skeleton import NUM_BODY_JOINTS, UP

PER_JOINT = {"6d": 6, "axis_angle": 3, "matrix": 9}


def dimension(kind: str) -> int:
    """Length of a pose's vector."""
    return PER_JOINT[kind] * NUM_BODY_JOINTS


def to_matrix(xp: Namespace, kind: str, x: Array) -> Array:
    """A vector of J joints -> rotations. (B, J * PER_JOINT) -> (B, J, 3, 3)."""
    joints = x.reshape((len(x), -1, PER_JOINT[kind]))
    if kind == "6d":
        return rotations.sixd_to_matrix(xp, joints)
    if kind == "axis_angle":
        return rotations.axis_angle_to_matrix(xp, joints)
    return rotations.project_to_rotation(xp, joints.reshape((*joints.shape[:2], 3, 3)))


def to_vector(xp: Namespace, kind: str, pose: Array) -> Array:
    """Rotations -> the lift that `to_matrix` undoes. (B, J, 3, 3) -> (B, J * PER_JOINT)."""
    if kind == "6d":
        pose = rotations.matrix_to_sixd(xp, pose)
    elif kind == "axis_angle":
        pose = rotations.matrix_to_axis_angle(xp, pose)
    return pose.reshape((len(pose), -1))


def turns_by_vector(xp: Namespace, kind: str, x: Array, local: Array, world: Array) -> Array:
    """Turns of J joints in the world by the numbers of their representation.

    With the joints' local rotations (B, J, 3, 3) = to_matrix(x) and all world rotations with the
    root first, (B, 1 + J, 3, 3): entry [b, j] is d(turn of joint j's subtree in the world) / d x_j.
    -> (B, J, 3, PER_JOINT).
    """
    joints = x.reshape((len(x), -1, PER_JOINT[kind]))
    count = joints.shape[1]
    if kind == "6d":
        return _by_6d(xp, joints, local, world[:, 1 : 1 + count])
    if kind == "axis_angle":
        return world[:, list(UP[1 : 1 + count])] @ rotations.left_jacobian(xp, joints)
    return _by_matrix(xp, joints.reshape(local.shape), local, world[:, 1 : 1 + count])


def _by_6d(xp: Namespace, x: Array, local: Array, world: Array) -> Array:
    """Gram-Schmidt: with local columns b and u2 the second before its length is taken,

    w = b3 (b2.da1)/|a1| - b2 (b3.da1)/|a1| + b1 (b3.da2 - (b1.a2)(b3.da1)/|a1|)/|u2|.
    """
    a1, a2 = x[..., :3], x[..., 3:]
    b1, b2, b3 = local[..., 0], local[..., 1], local[..., 2]
    inverse_a1 = 1 / xp.sqrt(xp.sum(a1 * a1, axis=-1))[..., None, None]
    inverse_u2 = 1 / xp.sum(b2 * a2, axis=-1)[..., None, None]
    along = xp.sum(b1 * a2, axis=-1)[..., None, None]
    first, second, third = world[..., 0, None], world[..., 1, None], world[..., 2, None]
    side = second + first * (along * inverse_u2)
    by_a1 = (third * b2[..., None, :] - side * b3[..., None, :]) * inverse_a1
    return xp.concat((by_a1, first * (b3[..., None, :] * inverse_u2)), axis=-1)


def _by_matrix(xp: Namespace, x: Array, local: Array, world: Array) -> Array:
    """Procrustes M = R S: w = R (tr(S) I - S)^-1 vee(R' dM - dM' R)."""
    stretch = local.swapaxes(-1, -2) @ x
    stretch = 0.5 * (stretch + stretch.swapaxes(-1, -2))
    eye = eye_like(xp, 3, x)
    trace = xp.sum(stretch * eye, axis=(-2, -1))[..., None]
    system = add_diagonal(xp, -stretch, trace * xp.ones_like(x[..., 0]))
    to_local = world @ solve_spd(xp, system, eye + xp.zeros_like(system))[0]
    # vee(A - A')_c = <A, [e_c]x> for A = R' dM, so its row by dM is R [e_c]x
    turned = local[..., None, :, :] @ rotations.skew(xp, eye)
    return to_local @ turned.reshape((*turned.shape[:3], 9))
