"""Latent axes: directions of the isotropic latent, ordered by how far they move the body."""

import numpy as np

from ..bodies.arrays import BodyArrays
from ..core.arrays import numpy_backend
from ..core.arrays import numpy_namespace as xp
from ..core.body import NUM_BETAS, BodyTable, Skeleton, pose_skeleton
from ..core.points import NUM_TURNS, PointTable, levers, point_rows, pose_points
from ..core.skeleton import METRIC_JOINTS, NUM_JOINTS
from .arrays import PriorArrays


def latent_axes(
    prior: PriorArrays, body: BodyArrays, samples: int = 256, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """SVD of the decoder's Jacobian to joint places, averaged over samples.

    With J(z) = d joints / d z in metres, the eigenvectors of E[J^T J] over z ~ N(0, I) are the
    directions along which a step of one sigma moves the joints most in mean square. Signs are
    chosen so that most axes raise the hands. Returns axes (D, D), rows ordered, and the share of
    motion that each explains (D,).
    """
    flow = prior.decoder(numpy_backend(np.float64))
    table = BodyTable.of(body.J_template, body.J_shapedirs, body.columns)
    joints = body.points(
        np.eye(NUM_JOINTS)[list(METRIC_JOINTS)], np.zeros(0, int), np.zeros((len(METRIC_JOINTS), 0))
    )
    points = PointTable.of(joints, body.J_template, body.J_shapedirs)

    def posed(z: np.ndarray) -> tuple[Skeleton, tuple]:
        pose, trace = flow.decode(xp, z)
        root = np.broadcast_to(np.eye(3), (len(z), 1, 3, 3))
        rotations = np.concatenate((root, pose), 1)
        return pose_skeleton(xp, table, rotations, np.zeros((len(z), NUM_BETAS))), trace

    total = np.zeros((flow.dim, flow.dim))
    which = np.repeat(np.arange(len(METRIC_JOINTS)), 3)
    slope = np.tile(np.eye(3), (len(METRIC_JOINTS), 1))
    for z in np.array_split(np.random.default_rng(seed).standard_normal((samples, flow.dim)), 16):
        skeleton, trace = posed(z)
        jacobian = levers(xp, table, pose_points(xp, points, skeleton))
        slopes = np.broadcast_to(slope, (len(z), *slope.shape))
        rows = point_rows(xp, jacobian, which, slopes)[..., :NUM_TURNS]
        turns = rows.reshape(*rows.shape[:2], NUM_JOINTS, 3)[:, :, 1:]
        by_latent = flow.pull_back(xp, trace, skeleton.world, turns)
        total += np.einsum("smd,sme->de", by_latent, by_latent)
    values, vectors = np.linalg.eigh(total)
    axes, values = vectors[:, ::-1].T, np.maximum(values[::-1], 0)
    up, down = (posed(2.0 * sign * axes)[0].place[:, list(METRIC_JOINTS), 1] for sign in (1, -1))
    axes = axes * np.where((up - down).sum(1) < 0, -1.0, 1.0)[:, None]
    return axes.astype(np.float32), (values / values.sum()).astype(np.float32)
