"""kinflow for Blender: from a photo to a posed, rigged body; pose sliders that stay human."""

from __future__ import annotations

from . import command_line, operators, preferences, properties, session, ui

# Registration order matters: properties before what shows them; preferences first, because operators ask them.
_MODULES = (preferences, properties, operators, ui, command_line)


def register() -> None:
    for module in _MODULES:
        module.register()


def unregister() -> None:
    session.close()
    for module in reversed(_MODULES):
        module.unregister()
