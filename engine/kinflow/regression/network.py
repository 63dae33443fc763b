"""The regressor's network: an image backbone, the keypoints as numbers, and three heads."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import AssetError
from ..rotations import sixd_to_matrix
from ..tensorfile import FORMAT_VERSION, check_header, read_tensors, write_tensors
from .inputs import NUM_NUMBERS, NUM_PLANES, Inputs, crop_ray, make_numbers, make_planes, ray_rotation

ASSET = Path(__file__).parent.parent / "assets" / "regressor.safetensors"
LATENT, BETAS = 138, 10
BETAS_LIMIT = 3.0


class SmallBackbone(nn.Module):
    """Four strided convolutions on (B, NUM_PLANES, 64, 64) -> (B, width). The default: it trains on two cores."""

    width = 256

    def __init__(self) -> None:
        super().__init__()
        sizes = (NUM_PLANES, 32, 48, 64, 96)
        layers: list[nn.Module] = []
        for fan_in, fan_out in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Conv2d(fan_in, fan_out, 4, 2, 1), nn.GroupNorm(8, fan_out), nn.SiLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(96 * 16, self.width), nn.SiLU())

    def forward(self, planes: Tensor) -> Tensor:
        return self.layers(planes)


BACKBONES: dict[str, type[nn.Module]] = {"small": SmallBackbone}
"""By the name that a checkpoint's header holds. A larger one is any module with `width` that takes the planes."""


class Regressor(nn.Module):
    """Inputs -> latent z (B, 138), root rotation (B, 3, 3) in the camera's frame, betas (B, 10)."""

    def __init__(self, backbone: str = "small") -> None:
        super().__init__()
        self.backbone_name = backbone
        self.backbone = BACKBONES[backbone]()
        width = int(self.backbone.width)  # type: ignore[arg-type]
        self.points = nn.Sequential(nn.Linear(NUM_NUMBERS, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU())
        self.trunk = nn.Sequential(nn.Linear(width + 256, 384), nn.SiLU(), nn.Linear(384, 384), nn.SiLU())
        self.head = nn.Linear(384, LATENT + 6 + BETAS)
        nn.init.normal_(self.head.weight, std=1e-3)
        with torch.no_grad():
            self.head.bias.zero_()
            # upright before the camera: a half turn about x
            self.head.bias[LATENT : LATENT + 6] = torch.tensor([1.0, 0.0, 0.0, 0.0, -1.0, 0.0])

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
        features = torch.cat((self.backbone(make_planes(inputs)), self.points(make_numbers(inputs))), 1)
        z, root, betas = self.head(self.trunk(features)).split((LATENT, 6, BETAS), 1)
        turned = ray_rotation(crop_ray(inputs)) @ sixd_to_matrix(root[:, None])[:, 0]
        return z, turned, BETAS_LIMIT * torch.tanh(betas / BETAS_LIMIT)


def save_regressor(path: str | Path, net: Regressor, recipe: str = "", data: str = "") -> None:
    """Writes the weights as half-precision safetensors with a versioned header."""
    tensors = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in net.state_dict().items()}
    header = {"kinflow_kind": "regressor", "format_version": str(FORMAT_VERSION), "backbone": net.backbone_name}
    write_tensors(path, tensors, header | {"prior": "light", "recipe": recipe, "data": data})


def load_regressor(path: str | Path | None = None) -> Regressor:
    """The shipped regressor or a checkpoint's. Raises AssetError naming what is missing or wrong."""
    return _load(str(path or ASSET))


@lru_cache(maxsize=2)
def _load(path: str) -> Regressor:
    tensors, metadata = read_tensors(path)
    check_header(path, metadata, "regressor")
    if metadata.get("backbone") not in BACKBONES:
        raise AssetError(f"{path}: unknown backbone '{metadata.get('backbone')}'.", "Update kinflow.")
    net = Regressor(metadata["backbone"])
    state = {}
    for name, parameter in net.state_dict().items():
        array = tensors.get(name)
        if array is None or array.shape != tuple(parameter.shape) or not np.isfinite(array).all():
            raise AssetError(f"{path}: field '{name}' should be finite, of shape {tuple(parameter.shape)}.", "Train the regressor again.")
        state[name] = torch.from_numpy(np.array(array, np.float32))
    net.load_state_dict(state)
    return net.requires_grad_(False).eval()
