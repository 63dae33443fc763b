"""One person's motion in SMPL's parameters, whichever file it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..core.arrays import numpy_namespace as xp
from ..core.body import NUM_BETAS
from ..core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ..core.skeleton import NUM_BODY_JOINTS
from ..errors import InvalidInputError
from ..gravity import upright_rotation
from ..records import FITTED, FitResult, NumpyArray

FPS = 30.0
FINGERS = 15
GENDERS = ("neutral", "female", "male")
FASTEST = 1e5  # frames a second
LARGEST_ANGLE, FARTHEST, LARGEST_BETA = 1e3, 1e6, 1e3
TO_Y_UP = {
    "y": np.eye(3),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "-y": np.diag((1.0, -1.0, -1.0)),
}
"""Which way is up in a file, and the rotation that makes it Y."""


def _no_shape() -> NumpyArray:
    return np.zeros(NUM_BETAS)


@dataclass(frozen=True, eq=False)
class Motion:
    """SMPL's parameters of T frames, float64: axis-angle in radians, metres.

    global_orient (T, 3), body_pose (T, 69), transl (T, 3); betas (10,), the same in all frames.
    As in SMPL, the root turns about the pelvis joint, so a frame's pelvis is at the rest pose's
    pelvis + transl. fps: frames a second. left_hand_pose, right_hand_pose (T, 15, 3): fingers in
    SMPL-H's order, None where there are none. gender of GENDERS. body: whose shape directions betas
    belong to (`BodyArrays.name`, or "smpl", "smplh", "smplx"), "" where nobody says.

    up: "y" (the body's own frame: at rest it faces +Z), "z" (AMASS: at rest the body lies on its
    back and a standing one is turned by a quarter about x), "-y" (a level camera's: y down, z away
    from the camera).

    Raises InvalidInputError for a wrong shape, no frame, numbers that are not finite or huge.

    >>> import numpy as np
    >>> from kinflow.formats import Motion
    >>> still = Motion(np.zeros((60, 3)), np.zeros((60, 69)), np.zeros((60, 3)))
    >>> len(still), still.seconds, still.up
    (60, 2.0, 'y')
    """

    global_orient: NumpyArray
    body_pose: NumpyArray
    transl: NumpyArray
    betas: NumpyArray = field(default_factory=_no_shape)
    fps: float = FPS
    up: str = "y"
    left_hand_pose: NumpyArray | None = None
    right_hand_pose: NumpyArray | None = None
    gender: str = "neutral"
    body: str = ""

    def __post_init__(self) -> None:
        frames = np.shape(self.body_pose)[0] if np.ndim(self.body_pose) else 0
        if not frames:
            raise InvalidInputError("The motion has no frame.")
        hand = ((frames, FINGERS, 3), LARGEST_ANGLE)
        limits = {
            "global_orient": ((frames, 3), LARGEST_ANGLE),
            "body_pose": ((frames, 3 * NUM_BODY_JOINTS), LARGEST_ANGLE),
            "transl": ((frames, 3), FARTHEST),
            "betas": ((NUM_BETAS,), LARGEST_BETA),
            **{"left_hand_pose": hand, "right_hand_pose": hand},
        }
        for name, (shape, largest) in limits.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _checked(getattr(self, name), name, shape, largest))
        if not 0 < self.fps < FASTEST:
            raise InvalidInputError(f"{self.fps} is no number of frames a second.")
        if self.up not in TO_Y_UP or self.gender not in GENDERS:
            raise InvalidInputError(
                f"up is '{self.up}' and gender '{self.gender}'.",
                f"Give one of {', '.join(TO_Y_UP)}, and one of {', '.join(GENDERS)}.",
            )

    def __len__(self) -> int:
        return len(self.body_pose)

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self) / self.fps

    def rotations(self) -> NumpyArray:
        """Of the root and of each joint in its parent. (T, 24, 3, 3)."""
        vectors = np.concatenate((self.global_orient, self.body_pose), 1)
        return np.asarray(axis_angle_to_matrix(xp, vectors.reshape(len(self), -1, 3)))

    def with_up(self, up: str, pelvis: NumpyArray) -> Motion:
        """The same motion in a world where another axis is up.

        pelvis (3,): the rest pose's pelvis joint, m, about which the root turns (`body.joints`).

        >>> import numpy as np
        >>> from kinflow.formats import Motion
        >>> lying = Motion(np.zeros((1, 3)), np.zeros((1, 69)), [[0, 0, 1.0]], up="z")
        >>> upright = lying.with_up("y", np.zeros(3))
        >>> upright.transl.tolist(), np.degrees(upright.global_orient).round().tolist()
        ([[0.0, 1.0, 0.0]], [[-90.0, 0.0, 0.0]])
        """
        if up == self.up:
            return self
        if up not in TO_Y_UP:
            raise InvalidInputError(f"'{up}' is no axis.", f"Give one of {', '.join(TO_Y_UP)}.")
        turn = TO_Y_UP[up].T @ TO_Y_UP[self.up]
        root = turn @ axis_angle_to_matrix(xp, self.global_orient)
        place = (self.transl + pelvis) @ turn.T - pelvis
        root = matrix_to_axis_angle(xp, root)
        return replace(self, global_orient=root, transl=place, up=up)

    @staticmethod
    def of_results(results: Sequence[FitResult], fps: float = FPS, body: str = "") -> Motion:
        """One person's fits, a frame each, as of `fit_sequence`: Y up, standing on the floor at 0.

        The camera is over the origin and looks along -Z, levelled; where no floor is known, it is
        at the height 0. body: the name of the body that was fitted. Frames that could not be fitted
        are left out; raises InvalidInputError where none is left.

        >>> import numpy as np
        >>> from kinflow import Camera, Observation, fit
        >>> x = [0, 8, -8, 20, -20, 42, -42, 60, -60, 66, -66, 26, -26, 30, -30, 32, -32]
        >>> y = [60, 52, 52, 58, 58, *np.repeat((110, 180, 245, 240, 330, 415), 2)]
        >>> points = np.stack((np.add(x, 320), y), 1)
        >>> person = Observation(points, np.ones(17), camera=Camera.guess(640, 480))
        >>> results = fit(person, losses=("ka",), device="cpu")
        >>> Motion.of_results(results, fps=25).body_pose.shape
        (1, 69)
        """
        fitted = [r for r in results if r.status in FITTED]
        if not fitted:
            raise InvalidInputError("No frame of the motion was fitted.", "Fit other photos.")
        turns = np.array([upright_rotation(r.gravity) for r in fitted])
        floors = np.array([(0, r.floor or 0.0, 0) for r in fitted])
        pelvis = np.array([r.joints[0] for r in fitted], np.float64)
        transl = np.array([r.transl for r in fitted], np.float64)
        roots = axis_angle_to_matrix(xp, np.array([r.global_orient for r in fitted], np.float64))
        # the rest pose's pelvis is linear in the betas: their mean has the mean pelvis
        place = (turns @ pelvis[..., None])[..., 0] + floors - (pelvis - transl).mean(0)
        return Motion(
            np.asarray(matrix_to_axis_angle(xp, turns @ roots)),
            np.array([r.body_pose.reshape(-1) for r in fitted]),
            place,
            np.mean([r.betas for r in fitted], 0, np.float64),
            fps=fps,
            body=body,
        )


def _checked(value: NumpyArray, name: str, shape: tuple[int, ...], largest: float) -> NumpyArray:
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name} is not an array of numbers.") from error
    if array.shape != shape:
        raise InvalidInputError(f"{name} should have shape {shape}, not {array.shape}.")
    if not (np.abs(array) <= largest).all():
        raise InvalidInputError(f"{name} holds numbers that are not finite or make no sense.")
    array.setflags(write=False)
    return array
