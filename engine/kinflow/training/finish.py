"""A trained checkpoint -> a shipped one: latent axes added.

python -m kinflow.training.finish CHECKPOINT OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

from ..bodies.files import load_body
from ..priors.axes import latent_axes
from ..priors.prior import load_prior
from ..priors.storage import save_prior


def finish(checkpoint: Path, out: Path, samples: int = 256) -> None:
    """Adds the ordered axes and the share of motion of each to a checkpoint."""
    prior = load_prior(checkpoint)
    axes, shares = latent_axes(prior, load_body(), samples)
    save_prior(out, prior.flow, prior.header, axes.numpy(), {"axis_shares": shares.numpy()})


if __name__ == "__main__":
    finish(Path(sys.argv[1]), Path(sys.argv[2]))
