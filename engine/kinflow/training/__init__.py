"""Training of the priors (and, later, of the image regressor)."""
