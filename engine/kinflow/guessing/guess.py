"""Observations -> a guess each, in the form that `fit` takes as a start."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import array_api_compat.torch as xp
import torch

from ..bodies.files import load_body
from ..bodies.model import Body
from ..core.rotations import matrix_to_axis_angle
from ..priors.prior import Prior, load_prior
from ..records import Camera, Observation, Parameters, PriorId
from .figure import Figure, place
from .inputs import coco_keypoints, observed_inputs
from .network import NETWORK_PRIOR, Regressor, load_regressor

MIN_KEYPOINTS = 3


@dataclass(frozen=True)
class Guess(Parameters):
    """A start for `fit(starts=...)`, and the prior that its latent code belongs to."""

    prior: PriorId


@lru_cache(maxsize=2)
def _prior(device: torch.device) -> Prior:
    """The prior that the network answers in, kept: reading it takes as long as the network."""
    return load_prior(NETWORK_PRIOR).to(device)


@torch.no_grad()
def guess(
    people: Sequence[Observation],
    *,
    cameras: Sequence[Camera] | None = None,
    body: Body | None = None,
    network: Regressor | str | Path | None = None,
) -> list[Guess | None]:
    """Pose, shape and place of everybody at once, in milliseconds; None for who has too few
    keypoints.

    cameras: one each where the observations hold none. The translation is equation 2, set right
    for perspective. Raises AssetError for a damaged checkpoint.
    """
    net = network if isinstance(network, Regressor) else load_regressor(network)
    body = body or load_body()
    prior = _prior(body.device)
    figure, net = Figure(body, prior), net.to(body.device)
    stated: Sequence[Camera | None] = cameras if cameras is not None else [None] * len(people)
    lenses = [c or p.camera or p.assumed_camera() for c, p in zip(stated, people, strict=True)]
    # the network knows COCO's keypoints alone
    rows = [
        i for i, p in enumerate(people) if int((coco_keypoints(p)[1] > 0).sum()) >= MIN_KEYPOINTS
    ]
    result: list[Guess | None] = [None] * len(people)
    if not rows:
        return result
    inputs = observed_inputs([people[i] for i in rows], [lenses[i] for i in rows]).to(body.device)
    placed = place(figure, net(inputs, figure.look), inputs)
    pose = matrix_to_axis_angle(xp, placed.rotations)
    columns = (pose[:, 0], pose[:, 1:], placed.betas, placed.transl, placed.z)
    arrays = [c.float().cpu().numpy() for c in columns]
    for k, i in enumerate(rows):
        root, joints, betas, transl, z = (a[k] for a in arrays)
        result[i] = Guess(root, joints, betas, transl, z, prior.id)
    return result
