"""Flow checkpoints: safetensors with a versioned header (numpy only)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..core.flow import NUM_DENSE, Coupling, Flow, Kink
from ..core.representations import PER_JOINT, dimension
from ..errors import AssetError
from ..tensorfile import FORMAT_VERSION, check_header, read_tensors, write_tensors

ARCHITECTURES = ("light", "realnvp")
HIDDEN = 128
LARGEST = 1000.0  # eps and lift_sigma, of data whose scale is 1


@dataclass(frozen=True)
class PriorHeader:
    """What a checkpoint says of itself. eps: by how much its kinks are rounded."""

    architecture: str
    representation: str
    lift_sigma: float
    data: str = ""
    recipe: str = ""
    normalisation: str = "none (the matrices hold it)"
    eps: float = 0.0
    notes: dict[str, float] = field(default_factory=dict)


def flow_of(tensors: Mapping[str, Any], header: PriorHeader) -> Flow:
    """The flow of named arrays ("dense.0.weight", "steps.0.slope", ...), numpy's or torch's."""

    def network(step: int, name: str) -> tuple[tuple[Any, Any], ...]:
        place = f"steps.{step}.{name}"
        return tuple((tensors[f"{place}_weight{i}"], tensors[f"{place}_bias{i}"]) for i in range(3))

    steps: list[Kink | Coupling] = []
    for i in range(NUM_DENSE - 1):
        if header.architecture == "light":
            steps.append(Kink(tensors[f"steps.{i}.slope"], header.eps))
        else:
            steps.append(Coupling(network(i, "scale"), network(i, "shift"), i % 2 == 0))
    return Flow(
        tuple(tensors[f"dense.{i}.weight"] for i in range(NUM_DENSE)),
        tuple(tensors[f"dense.{i}.bias"] for i in range(NUM_DENSE)),
        tuple(steps),
        header.representation,
    )


def shapes_of(header: PriorHeader) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that `flow_of` needs."""
    dim = dimension(header.representation)
    shapes: dict[str, tuple[int, ...]] = {}
    for i in range(NUM_DENSE):
        shapes |= {f"dense.{i}.weight": (dim, dim), f"dense.{i}.bias": (dim,)}
    sizes = (dim // 2, HIDDEN, HIDDEN, dim // 2)
    for i in range(NUM_DENSE - 1):
        if header.architecture == "light":
            shapes[f"steps.{i}.slope"] = (1,)
            continue
        for net in ("scale", "shift"):
            for layer in range(3):
                shapes[f"steps.{i}.{net}_weight{layer}"] = (sizes[layer + 1], sizes[layer])
                shapes[f"steps.{i}.{net}_bias{layer}"] = (sizes[layer + 1],)
    return shapes


def checksum(tensors: Mapping[str, np.ndarray], header: PriorHeader) -> str:
    """Sixteen hexadecimal digits that tell one flow's latent from another's."""
    digest = hashlib.sha256(f"{header.architecture} {header.representation} {header.eps}".encode())
    for name in sorted(shapes_of(header)):
        digest.update(np.ascontiguousarray(tensors[name], np.float32).tobytes())
    return digest.hexdigest()[:16]


def save_prior(
    path: str | Path,
    tensors: Mapping[str, np.ndarray],
    header: PriorHeader,
    extra: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Writes a flow's arrays with its header; extra: latent axes (rows, ordered) and the like."""
    stored = {f"flow.{name}": np.asarray(tensors[name]) for name in shapes_of(header)}
    stored |= {name: np.asarray(array) for name, array in (extra or {}).items()}
    fields = asdict(header)
    metadata = {k: json.dumps(v) if isinstance(v, (dict, float)) else v for k, v in fields.items()}
    identity = {"kinflow_kind": "prior", "format_version": str(FORMAT_VERSION)}
    write_tensors(path, stored, metadata | identity)


def read_prior_file(
    path: str | Path,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], PriorHeader]:
    """A checkpoint's flow, its other arrays, and its header. Raises AssetError naming what is
    wrong.
    """
    stored, metadata = read_tensors(path)
    check_header(path, metadata, "prior")
    try:
        header = PriorHeader(
            metadata["architecture"],
            metadata["representation"],
            float(metadata["lift_sigma"]),
            metadata.get("data", ""),
            metadata.get("recipe", ""),
            metadata.get("normalisation", ""),
            float(metadata.get("eps", 0.0)),
            json.loads(metadata.get("notes", "{}")),
        )
    except (KeyError, ValueError, RecursionError) as error:
        raise AssetError(
            f"{path}: header field {error} is missing or wrong.", "Export the prior again."
        ) from error
    if header.architecture not in ARCHITECTURES or header.representation not in PER_JOINT:
        kind = f"architecture '{header.architecture}', representation '{header.representation}'"
        raise AssetError(f"{path}: {kind} is not known here.", "Update kinflow.")
    for name in ("eps", "lift_sigma"):
        if not 0 <= (value := getattr(header, name)) <= LARGEST:
            raise AssetError(f"{path}: {name} is {value}.", "Export the prior again.")
    for name, array in stored.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise AssetError(f"{path}: field '{name}' holds NaN or infinity.", "Train it again.")
    flow = {}
    for name, shape in shapes_of(header).items():
        array = stored.pop(f"flow.{name}", np.zeros(0))
        if array.shape != shape:
            raise AssetError(
                f"{path}: field 'flow.{name}' should have shape {shape}.", "Export the prior again."
            )
        flow[name] = np.array(array, np.float32)
    return flow, stored, header
