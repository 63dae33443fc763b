"""The pinhole camera (OpenCV: x right, y down, z forward), and where a body stands before it."""

from dataclasses import dataclass

from ..records import pinhole
from .arrays import Array, Namespace, add_diagonal, eye_like, per_person

NEAR = 0.1  # m
MIN_SCALE = 1e-3  # 1 / m: nobody is placed further off than 1 km
DEFAULT_DEPTH = 5.0  # m


@dataclass(frozen=True)
class Lens:
    """focal (S, 2) and centre (S, 2) of each person's camera, px."""

    focal: Array = per_person()
    centre: Array = per_person()


@dataclass(frozen=True)
class Targets:
    """keypoints (S, K, 2) px, confidence (S, K) with 0 for missing."""

    keypoints: Array = per_person()
    confidence: Array = per_person()


def project(xp: Namespace, points: Array, lens: Lens) -> tuple[Array, Array]:
    """Pinhole projection: points (S, P, 3) m -> pixels (S, P, 2), their slopes (S, P, 2, 3) by the
    points.

    Points nearer than NEAR metres or behind the camera are projected from depth NEAR, so that they
    pull the body forward instead of flipping the image.
    """
    z = points[..., 2:]
    depth = xp.where(z > NEAR, z, xp.full_like(z, NEAR))
    focal = lens.focal[:, None]
    slope = focal / depth
    by_depth = -slope / depth * points[..., :2] * (z > NEAR)
    zero = xp.zeros_like(slope[..., 0])
    rows = (slope[..., 0], zero, by_depth[..., 0], zero, slope[..., 1], by_depth[..., 1])
    slopes = xp.stack(rows, axis=-1).reshape((*points.shape[:-1], 2, 3))
    return pinhole(points, depth, focal, lens.centre[:, None]), slopes


def weak_perspective_translation(
    xp: Namespace, points: Array, targets: Targets, lens: Lens
) -> Array:
    """Translation that best puts a body's points onto keypoints under a scaled orthographic camera.

    Equation 2 of the paper's supplement. With u = (keypoint - centre) / focal and X the points' x
    and y, minimises sum c |s X + d - u|^2 over scale s and shift d, in closed form: s = cov(X, u) /
    var(X), d = mean(u) - s mean(X), means weighted by confidence c. Then depth T_z = 1 / s and T_xy
    = d T_z, less the mean depth of the points. Differentiable in all inputs.

    points (S, K, 3) m -> (S, 3) m. With one keypoint, or all in one place, the scale is not known:
    the depth is then DEFAULT_DEPTH. With no confident keypoint the translation is (0, 0, depth).
    """
    weight = xp.where(targets.confidence > 0, targets.confidence, 0.0)
    total = xp.sum(weight, axis=-1)[:, None]
    normal = (weight / _at_least(xp, total, 1e-9))[..., None]
    target = (targets.keypoints - lens.centre[:, None]) / lens.focal[:, None]
    target = xp.where(weight[..., None] > 0, target, xp.zeros_like(target))
    mean_point = xp.sum(normal * points, axis=1)
    mean_target = xp.sum(normal * target, axis=1)
    flat = points[..., :2] - mean_point[:, None, :2]
    offset = target - mean_target[:, None]
    variance = xp.sum(normal * flat * flat, axis=(1, 2))
    covariance = xp.sum(normal * flat * offset, axis=(1, 2))
    spread = xp.sum(normal * offset * offset, axis=(1, 2))
    known = (variance > 1e-6) & (spread > 1e-10)
    # where the points face away from the keypoints' layout the regression's slope may vanish; the
    # ratio of spreads, the symmetric estimate, is then the safe one
    slope = covariance / _at_least(xp, variance, 1e-6)
    ratio = xp.sqrt(_at_least(xp, spread, 1e-12) / _at_least(xp, variance, 1e-6))
    scale = _at_least(xp, xp.where(slope > 0.5 * ratio, slope, ratio), MIN_SCALE)
    depth = xp.where(known, 1 / scale, xp.full_like(scale, DEFAULT_DEPTH))[:, None]
    xy = mean_target * depth - mean_point[:, :2]
    xy = xp.where(total > 0, xy, xp.zeros_like(xy))
    return xp.concat((xy, depth - mean_point[:, 2:]), axis=-1)


def perspective_translation(
    xp: Namespace, points: Array, targets: Targets, lens: Lens, scale: Array
) -> Array:
    """Equation 2, then two Gauss-Newton steps of the translation alone under full perspective.

    Near a wide lens equation 2 misplaces even the true body by some per cent of its size, and a
    network that is trained through it learns to bend bodies until they make up for that. Weights
    are confidence times Geman and McClure's with `scale` (S,) px, which lets go of single wrong
    keypoints. Differentiable; points (S, K, 3) m -> (S, 3) m.
    """
    transl = weak_perspective_translation(xp, points, targets, lens)
    known = (targets.confidence > 0)[..., None]
    confidence = xp.where(targets.confidence > 0, targets.confidence, 0.0)
    for _ in range(2):
        pixels, slopes = project(xp, points + transl[:, None], lens)
        miss = targets.keypoints - pixels
        miss = xp.where(known, miss, xp.zeros_like(miss)) / scale[:, None, None]
        slopes = (slopes / scale[:, None, None, None]).reshape((len(points), -1, 3))
        weight = confidence / (1 + xp.sum(miss * miss, axis=-1)) ** 2
        rows = slopes * xp.stack((weight, weight), axis=-1).reshape((len(points), -1, 1))
        normal = rows.swapaxes(1, 2) @ slopes
        # a little stiffness along every axis: one keypoint alone does not tell the depth
        diagonal = xp.max(xp.sum(normal * eye_like(xp, 3, normal), axis=-1), axis=-1)
        stiff = 1e-3 * _at_least(xp, diagonal, 1e-9)[:, None]
        normal = add_diagonal(xp, normal, stiff * xp.ones_like(transl))
        right = rows.swapaxes(1, 2) @ miss.reshape((len(points), -1, 1))
        step = xp.linalg.solve(normal, right)[..., 0]
        limit = 0.3 * xp.abs(transl[:, 2:]) * xp.ones_like(step)
        transl = transl + xp.where(step > limit, limit, xp.where(step < -limit, -limit, step))
    return transl


def _at_least(xp: Namespace, values: Array, low: float) -> Array:
    return xp.where(values > low, values, xp.full_like(values, low))
