"""The regressor's network: a first answer from planes and keypoints, then learned steps of descent.

Each step is shown where the body's keypoints lie and Gauss-Newton's step towards the observed ones,
and answers with its own (learned descent: Song et al., "Human Body Model Fitting by Learned
Gradient Descent", ECCV 2020). What the planes say decides how far such a step is to be trusted,
and in which depth.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor, nn

from ..core.rotations import axis_angle_to_matrix, sixd_to_matrix
from ..errors import AssetError
from ..priors.prior import load_prior
from ..tensorfile import FORMAT_VERSION, check_header, read_tensors, write_tensors
from .inputs import (
    NUM_KEYPOINTS,
    NUM_NUMBERS,
    NUM_PLANES,
    Inputs,
    crop_ray,
    make_numbers,
    make_planes,
    ray_rotation,
)

ASSET = Path(__file__).parent.parent / "assets" / "regressor.safetensors"
NETWORK_PRIOR = "light"
"""The network's codes are this flow's, and mean nothing under another."""
LATENT, BETAS = 138, 10
BETAS_LIMIT = 3.0
# measured: trained through three, the same step goes on to help until the sixth
STEPS, TRAINED_STEPS = 5, 3
MAX_STEPS = 20
_AGAIN = "Train the regressor again."
STEP_LIMIT = 2.0  # of one number of a Gauss-Newton step: outliers among the keypoints make it wild
TRUNK = 384
SEEN = LATENT + 6 + BETAS + 5 * NUM_KEYPOINTS + LATENT + 3 + BETAS


@dataclass(frozen=True)
class State:
    """z (B, 138), root rotation (B, 3, 3) in the camera's frame, betas (B, 10)."""

    z: Tensor
    root: Tensor
    betas: Tensor


@dataclass(frozen=True)
class View:
    """How a state looks: its keypoints (B, 17, 2) px, and Gauss-Newton's step towards the observed.

    step (B, 138 + 3 + 10): z, the root by left perturbation in the camera's frame (radians), betas.
    """

    keypoints: Tensor
    step: Tensor


Look = Callable[[State, Inputs], View]
"""The network knows no body: who calls it shows how a state looks (`guessing.figure`)."""


class SmallBackbone(nn.Module):
    """Four strided convolutions, (B, NUM_PLANES, 64, 64) -> (B, width): it trains on two cores."""

    width = 256

    def __init__(self) -> None:
        super().__init__()
        sizes = (NUM_PLANES, 32, 48, 64, 96)
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Conv2d(fan_in, fan_out, 3, 2, 1), nn.GroupNorm(8, fan_out), nn.SiLU()]
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(96 * 16, self.width), nn.SiLU()
        )
        # a third faster on the CPU
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, planes: Tensor) -> Tensor:
        return self.layers(planes.contiguous(memory_format=torch.channels_last))


BACKBONES: dict[str, type[nn.Module]] = {"small": SmallBackbone}
"""By the name in a checkpoint's header. A larger one is any module with `width` on the planes."""


class Regressor(nn.Module):
    """Inputs -> a State, by learned steps; without any, the one answer of the supplement."""

    def __init__(self, backbone: str = "small", steps: int = STEPS) -> None:
        super().__init__()
        self.backbone_name, self.steps = backbone, steps
        self.backbone = BACKBONES[backbone]()
        width = int(self.backbone.width)  # type: ignore[arg-type]
        self.points = _perceptron(NUM_NUMBERS, 256)
        self.trunk = _perceptron(width + 256, TRUNK)
        self.head = nn.Linear(TRUNK, LATENT + 6 + BETAS)
        self.descent = _perceptron(TRUNK + SEEN, 512)
        self.trust = nn.Parameter(torch.full((LATENT + 3 + BETAS,), 0.5))
        self.answer = nn.Linear(512, LATENT + 3 + BETAS)
        for last in (self.head, self.answer):
            nn.init.normal_(last.weight, std=1e-3)
            nn.init.zeros_(last.bias)
        with torch.no_grad():  # upright before the camera: a half turn about x
            self.head.bias[LATENT : LATENT + 6] = torch.tensor([1.0, 0.0, 0.0, 0.0, -1.0, 0.0])

    def forward(self, inputs: Inputs, look: Look) -> State:
        return self.states(inputs, look)[-1]

    def states(self, inputs: Inputs, look: Look) -> list[State]:
        """The first answer and those after each step, at most TRAINED_STEPS of them in training.

        Differentiable, but not through what `look` shows.
        """
        planes, numbers = make_planes(inputs), make_numbers(inputs)
        features = self.trunk(torch.cat((self.backbone(planes), self.points(numbers)), 1))
        ray = ray_rotation(crop_ray(inputs))
        z, sixd, shape = self.head(features).split((LATENT, 6, BETAS), 1)
        root = sixd_to_matrix(xp, sixd)  # as if the person stood on the camera's axis
        states = [State(z, ray @ root, bounded(shape))]
        for _ in range(min(self.steps, TRAINED_STEPS) if self.training else self.steps):
            with torch.no_grad():
                shown, step = _in_crop(inputs, look(states[-1], inputs), ray)
            place = (z, root.flatten(1)[:, :6], shape)
            hidden = self.descent(torch.cat((features, *place, shown, step), 1))
            answer = self.answer(hidden) + self.trust * step
            dz, turn, d_shape = answer.split((LATENT, 3, BETAS), 1)
            z, root, shape = z + dz, axis_angle_to_matrix(xp, turn) @ root, shape + d_shape
            states.append(State(z, ray @ root, bounded(shape)))
        return states


def _perceptron(fan_in: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(fan_in, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())


def _in_crop(inputs: Inputs, view: View, ray: Tensor) -> tuple[Tensor, Tensor]:
    """Misses, confidence, places of the keypoints in the crop (B, 5 * 17), and the crop's step."""
    side = inputs.crop[:, None, 2:]
    middle = inputs.crop[:, None, :2] + side / 2
    miss = 4 * ((inputs.keypoints - view.keypoints) / side).clamp(-0.5, 0.5)
    miss = miss * (inputs.confidence > 0)[..., None]
    place = (2 * (view.keypoints - middle) / side).clamp(-2, 2)
    dz, turn, d_betas = view.step.split((LATENT, 3, BETAS), 1)
    step = torch.cat((dz, (turn[:, None] @ ray)[:, 0], d_betas), 1).clamp(-STEP_LIMIT, STEP_LIMIT)
    return torch.cat((miss.flatten(1), inputs.confidence, place.flatten(1)), 1), step


def bounded(shape: Tensor) -> Tensor:
    """Betas within BETAS_LIMIT, softly."""
    return BETAS_LIMIT * torch.tanh(shape / BETAS_LIMIT)


def save_regressor(path: str | Path, net: Regressor, recipe: str = "", data: str = "") -> None:
    """Writes the weights as safetensors with a versioned header.

    Matrices are bytes with a scale for each row (`NAME.scale`), which costs nothing that can be
    measured; the rest is in half precision.
    """
    tensors = {}
    for name, value in net.state_dict().items():
        array = value.detach().cpu().contiguous().numpy()
        if array.ndim < 2:
            tensors[name] = array.astype(np.float16)
            continue
        scale = np.maximum(np.abs(array).reshape(len(array), -1).max(1), 1e-12) / 127
        tensors[name] = np.rint(array / _per_row(scale, array)).astype(np.int8)
        tensors[f"{name}.scale"] = scale.astype(np.float32)
    header = {
        "kinflow_kind": "regressor",
        "format_version": str(FORMAT_VERSION),
        "backbone": net.backbone_name,
        "steps": str(net.steps),
    }
    header["prior"] = load_prior(NETWORK_PRIOR).id.checksum
    write_tensors(path, tensors, header | {"recipe": recipe, "data": data})


def _per_row(scale: np.ndarray, array: np.ndarray) -> np.ndarray:
    return scale.reshape(-1, *[1] * (array.ndim - 1))


def load_regressor(path: str | Path | None = None) -> Regressor:
    """The shipped regressor or a checkpoint's. Raises AssetError naming what is missing or odd."""
    return _load(str(path or ASSET))


@lru_cache(maxsize=2)
def _load(path: str) -> Regressor:
    tensors, metadata = read_tensors(path)
    check_header(path, metadata, "regressor")
    if metadata.get("backbone") not in BACKBONES:
        raise AssetError(
            f"{path}: unknown backbone '{metadata.get('backbone')}'.", "Update kinflow."
        )
    if metadata.get("prior") != load_prior(NETWORK_PRIOR).id.checksum:
        raise AssetError(f"{path}: its codes are another prior's than '{NETWORK_PRIOR}'.", _AGAIN)
    steps = metadata.get("steps", str(STEPS))
    if not steps.isdecimal() or int(steps) > MAX_STEPS:
        raise AssetError(
            f"{path}: 'steps' should be a number up to {MAX_STEPS}, not '{steps[:20]}'.", _AGAIN
        )
    net = Regressor(metadata["backbone"], int(steps))
    shapes = {name: tuple(parameter.shape) for name, parameter in net.state_dict().items()}
    net.load_state_dict({name: _weight(path, tensors, name, s) for name, s in shapes.items()})
    return net.requires_grad_(False).eval()


def _weight(path: str, tensors: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> Tensor:
    """A field of a checkpoint, bytes times their scales. Raises AssetError naming it."""
    array, scale = tensors.get(name), tensors.get(f"{name}.scale")
    if array is None or array.shape != shape or not np.isfinite(array).all():
        raise AssetError(f"{path}: field '{name}' should be finite, of shape {shape}.", _AGAIN)
    if array.dtype != np.int8:
        return torch.from_numpy(np.array(array, np.float32))
    if scale is None or scale.shape != array.shape[:1] or not np.isfinite(scale).all():
        raise AssetError(
            f"{path}: field '{name}.scale' should be finite, one for each row.", _AGAIN
        )
    return torch.from_numpy(array * _per_row(scale.astype(np.float32), array))
