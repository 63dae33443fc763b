"""Residuals: each one function of the posed points, with its analytic Jacobian."""
