"""Flow checkpoints: safetensors with a versioned header."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from ..errors import AssetError
from ..tensorfile import FORMAT_VERSION, check_header, read_tensors, write_tensors
from .architectures import STEPS, Flow
from .representations import REPRESENTATIONS


@dataclass(frozen=True)
class PriorHeader:
    """What a checkpoint says of itself."""

    architecture: str
    representation: str
    lift_sigma: float
    data: str = ""
    recipe: str = ""
    normalisation: str = "none (the matrices hold it)"
    notes: dict[str, float] = field(default_factory=dict)


def save_prior(
    path: str | Path,
    flow: Flow,
    header: PriorHeader,
    axes: np.ndarray | None = None,
    extra: dict[str, np.ndarray] | None = None,
) -> None:
    """Writes a flow with its header, and its latent axes (rows, ordered) where they are known."""
    tensors = {f"flow.{k}": v.detach().cpu().numpy() for k, v in flow.state_dict().items()}
    if axes is not None:
        tensors["axes"] = np.asarray(axes, np.float32)
    tensors.update(extra or {})
    fields = asdict(header)
    metadata = {
        k: json.dumps(v) if isinstance(v, (dict, float)) else str(v) for k, v in fields.items()
    }
    write_tensors(
        path, tensors, metadata | {"kinflow_kind": "prior", "format_version": str(FORMAT_VERSION)}
    )


def read_prior_file(path: str | Path) -> tuple[dict[str, np.ndarray], PriorHeader]:
    """Arrays and header of a checkpoint. Raises AssetError naming what is wrong."""
    tensors, metadata = read_tensors(path)
    check_header(path, metadata, "prior")
    try:
        header = PriorHeader(
            metadata["architecture"],
            metadata["representation"],
            float(metadata["lift_sigma"]),
            metadata.get("data", ""),
            metadata.get("recipe", ""),
            metadata.get("normalisation", ""),
            json.loads(metadata.get("notes", "{}")),
        )
    except (KeyError, ValueError) as error:
        raise AssetError(
            f"{path}: header field {error} is missing or wrong.", "Export the prior again."
        ) from error
    if header.architecture not in STEPS or header.representation not in REPRESENTATIONS:
        raise AssetError(
            f"{path}: unknown architecture '{header.architecture}' or representation '{header.representation}'.",
            "Update kinflow.",
        )
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise AssetError(
                f"{path}: field '{name}' holds NaN or infinity.", "Train or export the prior again."
            )
    return tensors, header


def load_flow(path: str | Path) -> tuple[Flow, PriorHeader, dict[str, np.ndarray]]:
    """Flow in float32 on the CPU, its header, and the other arrays of the file."""
    tensors, header = read_prior_file(path)
    flow = Flow(header.architecture, REPRESENTATIONS[header.representation].dim)
    state = {}
    for name, parameter in flow.state_dict().items():
        array = tensors.get(f"flow.{name}")
        if array is None or array.shape != tuple(parameter.shape):
            raise AssetError(
                f"{path}: field 'flow.{name}' should have shape {tuple(parameter.shape)}.",
                "Export the prior again.",
            )
        state[name] = torch.from_numpy(np.array(array, np.float32))
    flow.load_state_dict(state)
    flow.requires_grad_(False)
    return flow, header, {k: v for k, v in tensors.items() if not k.startswith("flow.")}
