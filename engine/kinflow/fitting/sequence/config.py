"""How a sequence is fitted, beyond its arguments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ...core.terms.contacts import Firmness
from ..config import FitConfig, Weights
from .touching import Noise


@dataclass(frozen=True)
class Stage:
    """Contacts are looked for with `noise` and held with `firmness`, for some iterations."""

    noise: Noise
    firmness: Firmness
    iterations: int


STAGES = (
    Stage(Noise(0.01, 0.05), Firmness(0.03, 0.008, 0.03), 5),
    Stage(Noise(0.006, 0.035), Firmness(0.02, 0.004, 0.02), 5),
    Stage(Noise(0.004, 0.025), Firmness(0.01, 0.0015, 0.01), 15),
)


@dataclass(frozen=True)
class SequenceConfig:
    """How `fit_sequence` works.

    stride: every so many frames one is fitted by itself; anchors: frames of the whole clip that
    tell the shape, the camera and the floor; window: frames solved together, of which the last
    `tail` are solved again with those that follow; smooth: scale of captured accelerations;
    latent: weight of the pose's prior in a frame; iterations: before there are contacts;
    tolerance: nats a frame, by which a step that is still worth while lowers the energy; stages: of
    the contacts.
    """

    stride: int = 4
    anchors: int = 16
    window: int = 120
    tail: int = 20
    smooth: float = 6.0
    latent: float = 1.0
    iterations: int = 12
    tolerance: float = 0.02
    stages: tuple[Stage, ...] = STAGES
    frame: FitConfig = field(default_factory=lambda: FitConfig(hints=False))

    @property
    def together(self) -> FitConfig:
        """Of a window's frames."""
        weights: Weights = replace(self.frame.weights, latent=self.latent)
        return replace(self.frame, weights=weights)
