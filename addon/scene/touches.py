"""When feet, hands, knees and seat come down in a clip, and when they leave the floor (numpy)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinflow.records import CONTACT_NAMES, FitResult

DOWN = 0.5  # how likely a contact is that is shown
_SIDES = ("left", "right")
LIMBS = {
    **{f"{side}_foot": (f"{side}_heel", f"{side}_ball") for side in _SIDES},
    **{f"{side}_{limb}": (f"{side}_{limb}",) for limb in ("hand", "knee") for side in _SIDES},
    "seat": ("seat",),
}
"""By limb: those of CONTACT_NAMES that it touches the floor with."""


def contacts_of(name: str) -> tuple[str, ...]:
    """The contacts of a limb, or the one of that name."""
    return LIMBS.get(name, (name,))


def label(contact: str) -> str:
    """A limb or a contact as one reads it."""
    return contact.replace("_", " ").title()


def is_down(results: Sequence[FitResult | None], limb: str) -> np.ndarray:
    """In which frames a limb touches the floor, gaps of one frame closed. (T,) bool."""
    columns = [CONTACT_NAMES.index(name) for name in LIMBS[limb]]
    down = np.array(
        [r is not None and len(r.contacts) > 0 and max(r.contacts[columns]) > DOWN for r in results]
    )
    known = np.array([r is not None for r in results])
    both = down.copy()
    both[1:-1] |= down[:-2] & down[2:] & known[1:-1]
    return both


def events(results: Sequence[FitResult | None]) -> list[tuple[int, str]]:
    """Rows and names such as "Left Foot Down" and "Left Foot Up", in the order of time."""
    found = []
    for limb in LIMBS:
        down = is_down(results, limb).astype(int)
        for row in np.flatnonzero(np.diff(down, prepend=0)).tolist():
            found.append((row, f"{label(limb)} {'Down' if down[row] else 'Up'}"))
    return sorted(found)


# whole feet first: of heels and balls alone one speaks less often
_PARTS = [name for name in CONTACT_NAMES if name.split("_")[-1] in ("heel", "ball")]
ITEMS = [(name, label(name), "") for name in (*LIMBS, *_PARTS)]
"""For a property: limbs, then heels and balls of the feet."""
