"""A flow as it is trained: from pose to latent, on whitened data, by plain autograd."""

from __future__ import annotations

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor, nn

from ..core.flow import NUM_DENSE, Flow
from ..priors.modules import Coupling, Kink
from ..priors.storage import PriorHeader, flow_of

START_SLOPE = 0.8  # at exactly 1 a kink has no gradient that could bend it
SMALLEST_SLOPE = 0.02


class DensityFlow(nn.Module):
    """The dense layers' inverses are the parameters, so a step of training inverts nothing.

    Data are whitened by a fixed affine map, which `tensors` folds into the last layer: training
    starts near the likelihood of one Gaussian, and eps of the kinks has a scale.
    """

    inverse: nn.ParameterList
    bias: nn.ParameterList
    whiten: Tensor
    colour: Tensor
    mean: Tensor

    def __init__(self, header: PriorHeader, mean: np.ndarray, covariance: np.ndarray) -> None:
        super().__init__()
        self.header, dim = header, len(mean)
        values, vectors = np.linalg.eigh(covariance)
        self.register_buffer("whiten", torch.from_numpy((vectors / np.sqrt(values)).T).float())
        self.register_buffer("colour", torch.from_numpy(vectors * np.sqrt(values)).float())
        self.register_buffer("mean", torch.from_numpy(mean).float())
        self.whiten_logdet = -0.5 * float(np.log(values).sum())
        turns = [nn.init.orthogonal_(torch.empty(dim, dim)) for _ in range(NUM_DENSE)]
        self.inverse = nn.ParameterList(nn.Parameter(t) for t in turns)
        self.bias = nn.ParameterList(nn.Parameter(torch.zeros(dim)) for _ in range(NUM_DENSE))
        step = Kink if header.architecture == "light" else Coupling
        self.steps = nn.ModuleList(step(dim) for _ in range(NUM_DENSE - 1))
        for i, kink in enumerate(self._kinks()):
            kink.slope.data.fill_(START_SLOPE if i % 2 == 0 else 1 / START_SLOPE)

    def _kinks(self) -> list[Kink]:
        return [step for step in self.steps if isinstance(step, Kink)]

    def restrain(self) -> None:
        """Keeps slopes positive, after a step of the optimiser."""
        for kink in self._kinks():
            kink.slope.data.clamp_(min=SMALLEST_SLOPE)

    def _flow(self, weights: tuple[Tensor, ...], pairs: tuple[tuple[Tensor, Tensor], ...]) -> Flow:
        """Of whitened data."""
        parts: dict[str, Tensor] = dict(self.steps.named_parameters(prefix="steps"))
        parts |= {f"dense.{i}.weight": w for i, w in enumerate(weights)}
        parts |= {f"dense.{i}.bias": b for i, b in enumerate(self.bias)}
        flow = flow_of(parts, self.header)
        return Flow(flow.weights, flow.biases, flow.steps, flow.representation, pairs)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log-density of data (B, D) in nats, (B,)."""
        inverse = tuple(self.inverse)
        pairs = tuple(zip(inverse, -torch.linalg.slogdet(torch.stack(inverse))[1], strict=True))
        white = (x - self.mean) @ self.whiten.T
        return self._flow(inverse, pairs).log_density(xp, white) + self.whiten_logdet

    def sample(self, z: Tensor) -> Tensor:
        """Latent codes (B, D) -> data (B, D), differentiable."""
        white, _ = self._decoding().to_pose(xp, z)
        return white @ self.colour.T + self.mean

    def volume(self, z: Tensor) -> Tensor:
        """log|det dx/dz| at latent codes (B, D), up to what is the same everywhere. -> (B,)."""
        flow = self._decoding()
        _, traces = flow.to_pose(xp, z)
        pairs = zip(flow.steps, traces, strict=True)
        return torch.stack([step.volume(xp, trace)[0] for step, trace in pairs]).sum(0)

    def _decoding(self) -> Flow:
        return self._flow(tuple(torch.linalg.inv(torch.stack(tuple(self.inverse)))), ())

    @torch.no_grad()
    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays of a checkpoint: weights from latent to pose, the whitening within."""
        weights = [torch.linalg.inv(w.double()) for w in self.inverse]
        biases = [b.double() for b in self.bias]
        back = torch.linalg.inv(self.whiten.double())
        weights[-1], biases[-1] = back @ weights[-1], back @ biases[-1] + self.mean.double()
        result: dict[str, Tensor] = dict(self.steps.named_parameters(prefix="steps"))
        result |= {f"dense.{i}.weight": w for i, w in enumerate(weights)}
        result |= {f"dense.{i}.bias": b for i, b in enumerate(biases)}
        return {name: np.array(t.detach().float().cpu().numpy()) for name, t in result.items()}
