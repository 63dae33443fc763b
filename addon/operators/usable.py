"""What a fit may use of a person: with nothing to fit, it says so before the engine is asked."""

import bpy

from kinflow.errors import InvalidInputError

from ..scene import limbs

HINT = "Switch a limb on under Keypoints."


def nothing_to_fit(person: bpy.types.PropertyGroup) -> str:
    """Why no body can be fitted to a person, in a sentence; "" where one can."""
    used = (p.name for p in person.keypoints if p.enabled and p.confidence > 0)
    if not limbs.are_all_off(used):
        return ""
    return f"Every limb of {person.name} is switched off, so there is nothing to fit."


def check(person: bpy.types.PropertyGroup) -> None:
    """Raises InvalidInputError where there is nothing to fit."""
    if sentence := nothing_to_fit(person):
        raise InvalidInputError(sentence, HINT)


def split(
    people: list[bpy.types.PropertyGroup],
) -> tuple[list[bpy.types.PropertyGroup], str]:
    """Those of whom there is something to fit, and why the others are left out.

    Raises InvalidInputError where nobody is left.
    """
    sentences = [nothing_to_fit(person) for person in people]
    if people and all(sentences):
        raise InvalidInputError(" ".join(sentences), HINT)
    kept = [p for p, sentence in zip(people, sentences, strict=True) if not sentence]
    return kept, " ".join(filter(None, sentences))
