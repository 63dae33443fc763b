"""What the regressor is shown of a state: keypoints, and Gauss-Newton's step towards the photo."""

from dataclasses import dataclass

from ..core.arrays import (
    Array,
    Namespace,
    add_diagonal,
    arange_like,
    in_batch,
    per_person,
    zeros_like,
)
from ..core.body import NUM_BETAS, BodyTable, Skeleton, pose_skeleton
from ..core.camera import Lens, Targets, perspective_translation, project
from ..core.flow import Decoder
from ..core.points import NUM_TURNS, PointTable, Posed, levers, point_rows, pose_points
from ..core.skeleton import NUM_JOINTS
from ..core.terms.parts import MARGIN_METRES, SCALE_METRES, Skin, pairwise_squared

ANY_PART = 255
# what is believed before a Gauss-Newton step, besides z and betas of deviation 1
KEYPOINT_SHARE = 0.03  # a keypoint's deviation, of the crop's side
ROOT_RADIANS = 0.5
DEPTH_SHARE = 0.3
PLACING_SHARE = 0.1  # beyond this share of the crop a keypoint no longer tells where the body is
PIXEL_SHARE = 0.04  # a part's pixel, likewise
PIXELS_WORTH = 24.0  # of all pixels together: they lie close, and err together


@dataclass(frozen=True)
class Tables:
    """A body and a prior, the points that the regressor's keypoints are, and the skin."""

    body: BodyTable
    decoder: Decoder
    keypoints: PointTable
    skin: Skin


@dataclass(frozen=True)
class Evidence:
    """What was observed: keypoints, the lens, the crop's side (B,) px, and pixels (B, P, 2) px of
    parts with labels (B, P), ANY_PART for a mask, 0 for none."""

    targets: Targets = per_person()
    lens: Lens = per_person()
    side: Array = per_person()
    pixels: Array = per_person()
    labels: Array = per_person()


@dataclass(frozen=True)
class _Rows:
    """rows (B, M, WIDTH) as of `core.points`, what is missing (B, M) and the weights (B, M)."""

    rows: Array
    miss: Array
    weight: Array


def on_keypoints(xp: Namespace, points: Array, evidence: Evidence) -> Array:
    """Translation (B, 3) that puts keypoints (B, 17, 3) m on the observed ones; differentiable."""
    scale = PLACING_SHARE * evidence.side
    return perspective_translation(xp, points, evidence.targets, evidence.lens, scale)


def gauss_newton(
    xp: Namespace, tables: Tables, state: tuple[Array, Array, Array], evidence: Evidence
) -> tuple[Array, Array]:
    """A state's (latent, root, shape) keypoints (B, 17, 2) px, and the step (B, D + 3 + 10) from it
    towards the photo.

    With residuals r in shares of the crop, their weights W, their Jacobian J by (z, root, betas,
    translation) and P the deviations of what is believed before,

        step = P^2 J^T (J P^2 J^T + W^-1)^-1 r,

    without the part for translation. The pull of the prior is left to who takes the step.
    """
    z, root, betas = state
    pose, trace = tables.decoder.decode(xp, z)
    rotations = xp.concat((root[:, None], pose), axis=1)
    skeleton = pose_skeleton(xp, tables.body, rotations, betas)
    posed = pose_points(xp, tables.keypoints, skeleton)
    transl = on_keypoints(xp, posed.places, evidence)
    pixels, of_keypoints = _keypoint_rows(xp, tables, posed, transl, evidence)
    both = (of_keypoints, _pixel_rows(xp, tables, skeleton, transl, evidence))
    rows, miss, weight = (
        xp.concat([getattr(part, name) for part in both], axis=1)
        for name in ("rows", "miss", "weight")
    )
    turns = rows[..., :NUM_TURNS].reshape((*rows.shape[:2], NUM_JOINTS, 3))
    by_latent = tables.decoder.pull_back(xp, trace, skeleton.world, turns[:, :, 1:])
    by_betas = rows[..., NUM_TURNS : NUM_TURNS + NUM_BETAS]
    by_place = DEPTH_SHARE * transl[:, 2:, None] * rows[..., -3:]
    by_state = xp.concat((by_latent, ROOT_RADIANS * rows[..., :3], by_betas, by_place), axis=-1)
    spread = 1 / xp.where(weight > 1e-3, weight, xp.full_like(weight, 1e-3))
    transposed = by_state.swapaxes(1, 2)
    gram = add_diagonal(xp, by_state @ transposed, spread)
    step = (transposed @ xp.linalg.solve(gram, miss[..., None]))[..., 0]
    end = z.shape[1] + 3
    step = xp.concat(
        (step[:, : end - 3], ROOT_RADIANS * step[:, end - 3 : end], step[:, end:-3]), axis=1
    )
    return pixels, step


def _keypoint_rows(
    xp: Namespace, tables: Tables, posed: Posed, transl: Array, evidence: Evidence
) -> tuple[Array, _Rows]:
    """Two rows a keypoint: weights confidence / sigma^2, by Geman and McClure three sigma wide."""
    pixels, slopes = project(xp, posed.places + transl[:, None], evidence.lens)
    side, targets = evidence.side[:, None, None], evidence.targets
    miss = (targets.keypoints - pixels) / side
    far = xp.sum((miss / (3 * KEYPOINT_SHARE)) ** 2, axis=-1)
    weight = targets.confidence / (KEYPOINT_SHARE * (1 + far)) ** 2
    count, keypoints = pixels.shape[:2]
    slope = (slopes / side[..., None]).reshape((count, -1, 3))
    which = xp.repeat(arange_like(xp, keypoints, pixels), 2)
    rows = point_rows(xp, levers(xp, tables.body, posed), which, slope)
    both = xp.stack((weight, weight), axis=-1).reshape((count, -1))
    return pixels, _Rows(rows, miss.reshape((count, -1)), both)


def _pixel_rows(
    xp: Namespace, tables: Tables, skeleton: Skeleton, transl: Array, evidence: Evidence
) -> _Rows:
    """A row for each pixel of the part map, along the line to the nearest facing vertex of its
    part: loss BA with its matches held fixed.

    Vertices are taken for rigid points that hang on their joints by their skinning weights: d p / d
    w_a = -W_a [p - t_a]_x with the names of `core.points`; what shape does to them is left to the
    keypoints.
    """
    skin, pixels, labels = tables.skin, evidence.pixels, evidence.labels[..., None]
    points = pose_points(xp, skin.table, skeleton).places
    space = points + transl[:, None]
    vertices, slopes = project(xp, space, evidence.lens)
    match = (labels == skin.labels) | (labels == ANY_PART)
    match = match & skin.facing(xp, skeleton.world, space)[:, None]
    squared = xp.where(match, pairwise_squared(xp, pixels, vertices), xp.inf)
    chosen = xp.argmin(squared, axis=-1)
    known = xp.astype(xp.isfinite(xp.min(squared, axis=-1)), space.dtype)
    apart = pixels - in_batch(xp, vertices, chosen)
    nearest = xp.sqrt(xp.sum(apart * apart, axis=-1))
    depth = xp.where(transl[:, 2:] > 0.3, transl[:, 2:], 0.3)
    metre = evidence.lens.focal[:, :1] / depth
    left = nearest - MARGIN_METRES * metre
    left = xp.where(left > 0, left, xp.zeros_like(left)) * known
    weight = (left > 0) / (1 + (left / (SCALE_METRES * metre)) ** 2) ** 2
    weight = weight * (PIXELS_WORTH / pixels.shape[1] / PIXEL_SHARE**2)
    along = apart / xp.where(nearest > 1e-6, nearest, 1e-6)[..., None] * known[..., None]
    side = evidence.side[:, None]
    row = (along[:, :, None] @ in_batch(xp, slopes, chosen))[:, :, 0] / side[..., None]
    mass = (skin.lbs_weights @ tables.body.subtree.T)[chosen][..., None]
    arm = in_batch(xp, points, chosen)[:, :, None] - skeleton.place[:, None]
    turns = mass * xp.linalg.cross(arm, xp.broadcast_to(row[:, :, None], arm.shape))
    turns = turns.reshape((*left.shape, NUM_TURNS))
    shape = zeros_like(xp, (*left.shape, NUM_BETAS), row)
    return _Rows(xp.concat((turns, shape, row), axis=-1), left / side, weight)
