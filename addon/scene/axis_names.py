"""Human-readable names of the first latent axes."""

from __future__ import annotations

# Seen on a sweep of each axis (`kinflow.drawing.figures.axis_sheet`); those without an evident
# meaning keep their number.
NAMES: dict[str, tuple[str, ...]] = {
    "light": (
        "Raise Arms",
        "Crouch",
        "Stride",
        "Open Arms",
        "Swing Arms",
        "Left Knee Up",
        "Right Leg Out",
        "Fold Right Arm",
        "Fold Left Arm",
        "Cross Legs",
        "Lean Right",
        "Bend Elbows",
    )
}


def axis_label(prior: str, index: int) -> str:
    """Name of an axis where it has an evident meaning, else its number."""
    names = NAMES.get(prior, ())
    return names[index] if index < len(names) else f"Axis {index + 1}"
