"""A trained checkpoint -> a shipped one: latent axes added.

python -m kinflow.training.finish CHECKPOINT OUT
"""

import sys
from pathlib import Path

from ..bodies.arrays import default_body_arrays
from ..priors.arrays import load_prior_arrays
from ..priors.axes import latent_axes
from ..priors.storage import save_prior


def finish(checkpoint: Path, out: Path, samples: int = 256) -> None:
    """Adds the ordered axes and the share of motion of each to a checkpoint."""
    prior = load_prior_arrays(checkpoint)
    axes, shares = latent_axes(prior, default_body_arrays(), samples)
    save_prior(out, prior.tensors, prior.header, {"axes": axes, "axis_shares": shares})


if __name__ == "__main__":
    finish(Path(sys.argv[1]), Path(sys.argv[2]))
