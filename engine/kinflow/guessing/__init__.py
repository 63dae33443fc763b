"""The instant guess: a small network from what perception found to latent, turn and shape."""
