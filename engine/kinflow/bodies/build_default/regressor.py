"""A sparse joint regressor that follows the shapes."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from ...core.skeleton import JOINT_NAMES, MIRROR

# nearest vertices that may carry a joint: limbs are thin, collars and hips lie deep
LIMB_CANDIDATES, DEEP_CANDIDATES = 1200, 9000
RING_HALF_HEIGHT = 0.03
RING_LIMBS = ("left_knee",)
DEEP_LIMBS = ("left_hip", "left_collar", "left_shoulder")
_SUM_WEIGHT = 100.0


def _convex(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Non-negative weights that sum to 1. matrix (equations, N), target (equations,) -> (N,)."""
    ones = np.full(matrix.shape[1], _SUM_WEIGHT)
    solution, _ = nnls(np.vstack((matrix, ones)), np.append(target, _SUM_WEIGHT), maxiter=20000)
    return solution / solution.sum()


def ring_row(v_template: np.ndarray, joint: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """A joint as a convex mix of the ring of skin at its height, spread evenly. -> (V,).

    The source's own markers of spine and knees wander by centimetres with sex, height and weight
    (they are construction helpers), so these joints are defined by the skin around them: such a
    joint keeps its relative place in its cross-section in every shape. allowed (V,) bool: which
    vertices may be in the ring.
    """
    ring = np.nonzero((np.abs(v_template[:, 1] - joint[1]) < RING_HALF_HEIGHT) & allowed)[0]
    spread = 0.02 * np.eye(len(ring))
    matrix = np.vstack((v_template[ring].T, spread))
    row = np.zeros(len(v_template))
    row[ring] = _convex(matrix, np.concatenate((joint, np.full(len(ring), 0.02 / len(ring)))))
    row[row < 1e-4] = 0
    return row / row.sum()


@dataclass(frozen=True)
class BodyShape:
    """A body without correctives, of V vertices.

    v_template (V, 3), shapedirs (V, 3, 10), joints (24, 3), joint_dirs (24, 3, 10), lbs_weights (V,
    24), mirror (V,): each vertex' twin.
    """

    v_template: np.ndarray
    shapedirs: np.ndarray
    joints: np.ndarray
    joint_dirs: np.ndarray
    lbs_weights: np.ndarray
    mirror: np.ndarray


def fit_regressor(shape: BodyShape) -> np.ndarray:
    """Rows that sum to 1 and reproduce each limb joint and its change with every component.

    -> (24, V), not negative. A limb joint is a convex mix of near vertices: solving for template
    and components at once (33 equations) is exact wherever the joint lies inside the hull of its
    neighbours.
    """
    v, weights = shape.v_template, shape.lbs_weights
    result = np.zeros((len(shape.joints), len(v)))
    for j, name in enumerate(JOINT_NAMES):
        if name.startswith("right"):
            continue
        if not name.startswith("left"):
            row = ring_row(v, shape.joints[j], weights[:, 16:].sum(1) < 0.2)
            result[j] = 0.5 * (row + row[shape.mirror])
            continue
        if name in RING_LIMBS:
            result[j] = ring_row(v, shape.joints[j], weights[:, j] > 0.2)
        else:
            result[j] = _limb_row(shape, j)
        result[MIRROR[j]] = result[j][shape.mirror]
    return result


def _limb_row(shape: BodyShape, j: int) -> np.ndarray:
    """A limb joint as a convex mix of the vertices near it. -> (V,)."""
    near = np.argsort(np.linalg.norm(shape.v_template - shape.joints[j], axis=1))
    near = near[: DEEP_CANDIDATES if JOINT_NAMES[j] in DEEP_LIMBS else LIMB_CANDIDATES]
    # components weigh double: shapes of two sigmas are common
    dirs = 2.0 * shape.shapedirs[near].transpose(2, 1, 0)
    matrix = np.concatenate((shape.v_template[near].T, *dirs))
    target = np.concatenate((shape.joints[j], *(2.0 * shape.joint_dirs[j].T)))
    row = np.zeros(len(shape.v_template))
    row[near] = _convex(matrix, target)
    return row
