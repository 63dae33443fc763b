"""How a fit works, beyond its arguments."""

from dataclasses import dataclass, field

MIN_KEYPOINTS = 3
LOSSES = ("ka", "ba")
SOLVERS = ("lm", "adam", "lbfgs")
STARTS = ("rotations", "regressor", "both")


@dataclass(frozen=True)
class Weights:
    """How the terms weigh against each other.

    keypoint_metres: Laplace scale of a detector's error at the body (m), where an observation does
    not state its own; latent, betas and part: of those terms, in negative log-likelihoods; volume:
    the share of the flow's log-determinant in the prior's energy (terms.latent);
    hint_metres: Laplace scale of 3D hints' depth (m).
    """

    keypoint_metres: float = 0.02
    softness: float = 0.15
    latent: float = 1.0
    volume: float = 0.5
    betas: float = 1.0
    hint_metres: float = 0.10
    part: float = 1.0


@dataclass(frozen=True)
class SceneWeights:
    """What holds a photo's people together.

    camera_mean, camera_scale: pitch and roll of photos, degrees, and the camera's height, m.
    gravity, floor, balance: weights of those terms; scales: within which a contact is looked for,
    m, stage by stage; stands: share of people who are balanced, sway: how well, m; iterations: of
    each stage.
    """

    camera_mean: tuple[float, float, float] = (-5.0, 0.0, 1.4)
    camera_scale: tuple[float, float, float] = (14.0, 3.0, 0.7)
    gravity: float = 1.0
    floor: float = 1.4
    scales: tuple[float, ...] = (0.3, 0.1, 0.03)
    balance: float = 1.0
    stands: float = 0.7
    sway: float = 0.04
    iterations: int = 10


@dataclass(frozen=True)
class FitConfig:
    """The stages of a fit, and how long each may take."""

    weights: Weights = field(default_factory=Weights)
    scene: SceneWeights = field(default_factory=SceneWeights)
    coarse_iterations: int = 7
    fine_iterations: int = 40
    flip_iterations: int = 10
    part_iterations: int = 15
    keep_starts: int = 2
    hints: bool = True
    hypotheses: bool = True
    sharpen: bool = True
    together: bool = True
    """Gravity, and one floor for a photo's people; without, the camera is taken as level."""
    estimate_focal: bool = False
    """Look for the focal length too, where neither `camera` nor the observation gives one."""
    rotated_starts: bool = True
    """Try the four rotations also for people for whom a start is given."""


NEAR_START = FitConfig(fine_iterations=6, hypotheses=False)
"""For starts that are near already."""
