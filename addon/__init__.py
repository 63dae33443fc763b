"""kinflow for Blender: from a photo to a posed, rigged body; pose sliders that stay human."""

from . import keymap, operators, preferences, properties, session, ui
from .engine import installation
from .headless import command_line
from .scene import clip_keypoints, hand_posed, settle

# The order is the registration's: preferences first, because operators ask them; properties before
# what shows them.
_MODULES = (
    preferences,
    properties,
    session,
    hand_posed,
    settle,
    clip_keypoints,
    operators,
    ui,
    keymap,
    command_line,
)


def register() -> None:
    for module in _MODULES:
        module.register()


def unregister() -> None:
    installation.cancel_current()
    for module in reversed(_MODULES):
        module.unregister()
