"""Priors to compare with, trained on the same data. Not part of the product."""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).parent.parent / "data" / "baselines.safetensors"


def load_baselines() -> dict:
    """vposer, mixture, gaussian and none, by name, as `fitting` sees a prior."""
    import torch

    from kinflow.tensorfile import read_tensors

    from .linear import AffinePrior, Mixture
    from .vposer import VPoser, VPoserPrior

    arrays = {k: torch.from_numpy(v.copy()) for k, v in read_tensors(FILE)[0].items()}
    net = VPoser()
    net.load_state_dict(
        {k[7:]: v for k, v in arrays.items() if k.startswith("vposer.")}, strict=False
    )
    means, covariances, weights = (
        arrays[f"mixture.{k}"] for k in ("means", "covariances", "weights")
    )
    components = [
        AffinePrior.gaussian("mixture", means[k], covariances[k], float(weights[k]))
        for k in range(len(weights))
    ]
    gaussian = AffinePrior.gaussian(
        "gaussian", arrays["gaussian.mean"], arrays["gaussian.covariance"]
    )
    return {
        "vposer": VPoserPrior(net),
        "mixture": Mixture(components, weights.tolist()),
        "gaussian": gaussian,
        "none": AffinePrior.none(),
    }
