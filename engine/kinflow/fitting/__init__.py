"""Fitting a body to what was seen of a person, in the flow's latent space."""
