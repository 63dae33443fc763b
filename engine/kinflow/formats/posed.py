"""A motion's frames on a body, in numpy."""

from __future__ import annotations

import numpy as np

from ..bodies.arrays import BodyArrays
from ..bodies.tables import body_table, skin_table
from ..core.arrays import numpy_backend
from ..core.arrays import numpy_namespace as xp
from ..core.body import pose_skeleton, skin
from ..records import NumpyArray
from .motion import Motion

_BACKEND = numpy_backend(np.float64)


def posed_mesh(motion: Motion, body: BodyArrays, frame: int = 0) -> NumpyArray:
    """Vertices of a frame with the body's pose correctives, m, in the motion's world. (V, 3).

    >>> import numpy as np
    >>> from kinflow.bodies.files import load_body_arrays
    >>> still = Motion(np.zeros((1, 3)), np.zeros((1, 69)), [[0, 1.0, 0]])
    >>> body = load_body_arrays()
    >>> bool(np.allclose(posed_mesh(still, body), body.v_template + [0, 1, 0]))
    True
    """
    rotations = motion.rotations()[frame : frame + 1]
    skeleton = pose_skeleton(xp, body_table(body, _BACKEND), rotations, motion.betas[None])
    return np.asarray(skin(xp, skin_table(body, _BACKEND), skeleton)[0] + motion.transl[frame])
