"""Human-readable names of the first latent axes."""

# Seen on a sweep of each axis (`kinflow.drawing.figures.axis_sheet`); those without an evident
# meaning keep their number.
NAMES: dict[str, tuple[str, ...]] = {
    "light": ("Raise Arms", "Stride", "Crouch", "Right Foot Back", "Bend Elbows")
}


def axis_label(prior: str, index: int) -> str:
    """Name of an axis where it has an evident meaning, else its number."""
    names = NAMES.get(prior, ())
    return names[index] if index < len(names) else f"Axis {index + 1}"
