"""Priors to compare with, trained on the same data. Not part of the product."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kinflow.priors.arrays import PosePrior
from kinflow.tensorfile import read_tensors

from .linear import AffinePrior, Mixture

FILE = Path(__file__).parent.parent / "data" / "baselines.safetensors"


def load_baselines(path: Path = FILE) -> dict[str, PosePrior | Mixture]:
    """vposer, mixture, gaussian and none, by name."""
    from .vposer import VPoserPrior

    arrays = read_tensors(path)[0]
    nets = [
        tuple(
            tuple(arrays[f"vposer.{net}.{i}.{n}"].astype(np.float32) for n in ("weight", "bias"))
            for i in range(3)
            if f"vposer.{net}.{i}.bias" in arrays
        )
        for net in ("decoder", "encoder")
    ]
    names = ("means", "covariances", "weights")
    means, covariances, weights = (arrays[f"mixture.{name}"] for name in names)
    components = [
        AffinePrior.gaussian("mixture", mean, covariance, float(weight))
        for mean, covariance, weight in zip(means, covariances, weights, strict=True)
    ]
    mean, covariance = arrays["gaussian.mean"], arrays["gaussian.covariance"]
    return {
        "vposer": VPoserPrior(*nets),
        "mixture": Mixture(components, weights.tolist()),
        "gaussian": AffinePrior.gaussian("gaussian", mean, covariance),
        "none": AffinePrior.none(),
    }
