"""Rotations, batch first: axis-angle, matrices, quaternions, the 6D form.

6D is the first two columns of the matrix, one after the other (Zhou et al., CVPR 2019).
"""

from .arrays import Array, Namespace, eye_like, is_numpy


def matrix_of(xp: Namespace, entries: tuple[Array, ...]) -> Array:
    """Nine entries, row by row, each (...) -> (..., 3, 3)."""
    return xp.stack(entries, axis=-1).reshape((*entries[0].shape, 3, 3))


def skew(xp: Namespace, vector: Array) -> Array:
    """Cross-product matrix. (..., 3) -> (..., 3, 3)."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    zero = xp.zeros_like(x)
    return matrix_of(xp, (zero, -z, y, z, zero, -x, -y, x, zero))


def axis_angle_to_matrix(xp: Namespace, vector: Array) -> Array:
    """Rodrigues' formula, smooth at zero. (..., 3) radians -> (..., 3, 3)."""
    x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
    squared = x * x + y * y + z * z
    small = squared < 1e-8
    safe = xp.where(small, xp.ones_like(squared), squared)
    angle = xp.sqrt(safe)
    a = xp.where(small, 1 - squared / 6, xp.sin(angle) / angle)
    b = xp.where(small, 0.5 - squared / 24, (1 - xp.cos(angle)) / safe)
    bx, by, bz = b * x, b * y, b * z
    return matrix_of(
        xp,
        (
            *(1 - (by * y + bz * z), bx * y - a * z, bx * z + a * y),
            *(bx * y + a * z, 1 - (bx * x + bz * z), by * z - a * x),
            *(bx * z - a * y, by * z + a * x, 1 - (bx * x + by * y)),
        ),
    )


def matrix_to_quaternion(xp: Namespace, matrix: Array) -> Array:
    """Unit quaternion (w, x, y, z) with w >= 0, stable at every angle. (..., 3, 3) -> (..., 4)."""
    m00, m01, m02 = (matrix[..., 0, i] for i in range(3))
    m10, m11, m12 = (matrix[..., 1, i] for i in range(3))
    m20, m21, m22 = (matrix[..., 2, i] for i in range(3))
    trace = m00 + m11 + m22
    if is_numpy(xp) and (trace > 0).all():  # the first row is good enough: a third of the time
        quaternion = xp.stack((1 + trace, m21 - m12, m02 - m20, m10 - m01), axis=-1)
        return quaternion / xp.sqrt(xp.sum(quaternion * quaternion, axis=-1, keepdims=True))
    rows = (
        (1 + trace, m21 - m12, m02 - m20, m10 - m01),
        (m21 - m12, 1 + m00 - m11 - m22, m10 + m01, m02 + m20),
        (m02 - m20, m10 + m01, 1 - m00 + m11 - m22, m21 + m12),
        (m10 - m01, m02 + m20, m21 + m12, 1 - m00 - m11 + m22),
    )
    best = xp.argmax(xp.stack([rows[i][i] for i in range(4)], axis=-1), axis=-1)
    quaternion = xp.stack(rows[0], axis=-1)
    for i in (1, 2, 3):
        quaternion = xp.where((best == i)[..., None], xp.stack(rows[i], axis=-1), quaternion)
    quaternion = quaternion / xp.sqrt(xp.sum(quaternion * quaternion, axis=-1, keepdims=True))
    return xp.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def quaternion_to_matrix(xp: Namespace, quaternion: Array) -> Array:
    """Of unit quaternions (w, x, y, z). (..., 4) -> (..., 3, 3)."""
    w, x, y, z = (quaternion[..., i] for i in range(4))
    return matrix_of(
        xp,
        (
            *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        ),
    )


def continuous(xp: Namespace, quaternions: Array) -> Array:
    """The same rotations by quaternions that never jump to their negatives in time. (T, ..., 4)."""
    near = xp.sum(quaternions[1:] * quaternions[:-1], axis=-1) >= 0
    signs = xp.where(near, xp.ones_like(quaternions[1:, ..., 0]), -1.0)
    signs = xp.concat((xp.ones_like(quaternions[:1, ..., 0]), xp.cumulative_prod(signs, axis=0)))
    return quaternions * signs[..., None]


def matrix_to_axis_angle(xp: Namespace, matrix: Array) -> Array:
    """Logarithm map, angle in [0, pi]. (..., 3, 3) -> (..., 3) radians."""
    quaternion = matrix_to_quaternion(xp, matrix)
    vector, w = quaternion[..., 1:], quaternion[..., :1]
    squared = xp.sum(vector * vector, axis=-1, keepdims=True)
    small = squared < 1e-12
    length = xp.sqrt(xp.where(small, xp.ones_like(squared), squared))
    angle = 2 * xp.atan2(length, w)
    return vector * xp.where(small, 2 / xp.where(small, w, xp.ones_like(w)), angle / length)


def sixd_to_matrix(xp: Namespace, sixd: Array) -> Array:
    """Gram-Schmidt of two columns. (..., 6) -> (..., 3, 3)."""
    a = xp.moveaxis(sixd, -1, 0)
    first = a[:3] / xp.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])
    second = a[3:] - (first[0] * a[3] + first[1] * a[4] + first[2] * a[5]) * first
    u = second
    second = u / xp.sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2])
    third = [first[i - 2] * second[i - 1] - first[i - 1] * second[i - 2] for i in range(3)]
    return matrix_of(xp, tuple(c[i] for i in range(3) for c in (first, second, third)))


def matrix_to_sixd(xp: Namespace, matrix: Array) -> Array:
    """First two columns. (..., 3, 3) -> (..., 6)."""
    return xp.concat((matrix[..., 0], matrix[..., 1]), axis=-1)


def project_to_rotation(xp: Namespace, matrix: Array) -> Array:
    """Nearest rotation (Frobenius); NaN for what is not finite. (..., 3, 3) -> (..., 3, 3)."""
    # LAPACK refuses a whole batch for one bad matrix
    finite = xp.all(xp.isfinite(matrix), axis=(-2, -1))[..., None, None]
    u, _, vh = xp.linalg.svd(xp.where(finite, matrix, eye_like(xp, 3, matrix)))
    sign = xp.linalg.det(u @ vh)[..., None]
    last = xp.concat((xp.ones_like(sign), xp.ones_like(sign), sign), axis=-1)
    turned = (u * last[..., None, :]) @ vh
    return xp.where(finite, turned, xp.full_like(turned, xp.nan))


def geodesic_angle(xp: Namespace, a: Array, b: Array) -> Array:
    """Angle between rotations in radians. (..., 3, 3), (..., 3, 3) -> (...)."""
    vector = matrix_to_axis_angle(xp, a.swapaxes(-1, -2) @ b)
    return xp.sqrt(xp.sum(vector * vector, axis=-1))


def euler_to_matrix(xp: Namespace, angles: Array, order: str) -> Array:
    """Intrinsic rotations, in the order of the name: 'ZYX' is Rz Ry Rx. (..., n) -> (..., 3, 3)."""
    result = eye_like(xp, 3, angles)
    for column, axis in enumerate(order):
        vector = [xp.zeros_like(angles[..., column])] * 3
        vector["XYZ".index(axis)] = angles[..., column]
        result = result @ axis_angle_to_matrix(xp, xp.stack(vector, axis=-1))
    return result


def matrix_to_euler_zxy(xp: Namespace, matrix: Array) -> Array:
    """Angles (z, x, y) of Rz Rx Ry, radians, y = 0 where x is a right angle. (..., 3, 3) ->
    (..., 3)."""
    sine = xp.clip(matrix[..., 2, 1], -1.0, 1.0)
    locked = sine * sine > 1 - 1e-12
    z = xp.atan2(-matrix[..., 0, 1], matrix[..., 1, 1])
    y = xp.atan2(-matrix[..., 2, 0], matrix[..., 2, 2])
    z = xp.where(locked, xp.atan2(matrix[..., 1, 0], matrix[..., 0, 0]), z)
    return xp.stack((z, xp.asin(sine), xp.where(locked, xp.zeros_like(y), y)), axis=-1)


def left_jacobian(xp: Namespace, vector: Array) -> Array:
    """SO(3)'s left Jacobian: exp(v + dv) = exp(J dv) exp(v). (..., 3) -> (..., 3, 3)."""
    squared = xp.sum(vector * vector, axis=-1)[..., None, None]
    small = squared < 1e-6
    safe = xp.where(small, xp.ones_like(squared), squared)
    angle = xp.sqrt(safe)
    first = xp.where(small, 0.5 - squared / 24, (1 - xp.cos(angle)) / safe)
    second = xp.where(small, 1 / 6 - squared / 120, (angle - xp.sin(angle)) / (safe * angle))
    cross = skew(xp, vector)
    return eye_like(xp, 3, vector) + first * cross + second * (cross @ cross)


def left_jacobian_inverse(xp: Namespace, vector: Array) -> Array:
    """Inverse of `left_jacobian`, for angles below pi. (..., 3) -> (..., 3, 3)."""
    squared = xp.sum(vector * vector, axis=-1)[..., None, None]
    small = squared < 1e-6
    safe = xp.where(small, xp.ones_like(squared), squared)
    half = 0.5 * xp.sqrt(safe)
    series = 1 / 12 + squared / 720
    # near pi the sine vanishes: a turn by 3.1 is the last that is told apart
    sine = xp.sin(xp.where(half > 3.1, xp.full_like(half, 3.1), half))
    factor = xp.where(small, series, (1 - half * xp.cos(half) / sine) / safe)
    cross = skew(xp, vector)
    return eye_like(xp, 3, vector) - 0.5 * cross + factor * (cross @ cross)
