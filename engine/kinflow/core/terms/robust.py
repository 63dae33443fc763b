"""Robust functions and the weights of the quadratics that touch them (iterative reweighting)."""

from ..arrays import Array, Namespace


def smoothed_distance(
    xp: Namespace, squared: Array, scale: Array | float, softness: float
) -> tuple[Array, Array]:
    """rho = sqrt(d^2 + (softness scale)^2) / scale: an unsquared L2, smooth at zero.

    squared: d^2. -> rho, and w = 1 / (scale sqrt(...)) with rho' = w d.
    """
    root = xp.sqrt(squared + (softness * scale) ** 2)
    return root / scale, 1 / (scale * root)


def geman_mcclure(distance: Array, scale: Array | float) -> tuple[Array, Array]:
    """rho = x^2 / (1 + x^2), x = distance / scale: lets go of outliers. -> rho, w: rho' = w d."""
    x = (distance / scale) ** 2
    return x / (1 + x), 2 / (scale * (1 + x)) ** 2
