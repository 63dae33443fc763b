"""Keys that are offered and off until the user switches them on in the preferences."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

VIEW = ("3D View", "VIEW_3D")
PIE = "KINFLOW_MT_pie"


@dataclass(frozen=True)
class Shortcut:
    """A key with Shift and Alt, what it calls, and the word for it."""

    label: str
    key: str
    operator: str
    menu: str = ""


SHORTCUTS = (
    Shortcut("Pie Menu", "K", "wm.call_menu_pie", PIE),
    Shortcut("Sample Pose", "P", "kinflow.sample"),
    Shortcut("Put on Floor", "F", "kinflow.put_on_floor"),
)
_items: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def register() -> None:
    configuration = bpy.context.window_manager.keyconfigs.addon
    if configuration is None:  # without a window
        return
    keymap = configuration.keymaps.new(name=VIEW[0], space_type=VIEW[1])
    for shortcut in SHORTCUTS:
        item = keymap.keymap_items.new(
            shortcut.operator, shortcut.key, "PRESS", shift=True, alt=True
        )
        if shortcut.menu:
            item.properties.name = shortcut.menu
        item.active = False
        _items.append((keymap, item))


def unregister() -> None:
    for keymap, item in _items:
        keymap.keymap_items.remove(item)
    _items.clear()


def users_items() -> list[tuple[Shortcut, bpy.types.KeyMapItem]]:
    """The items that the user switches and changes: Blender saves those of his own keymap."""
    configuration = bpy.context.window_manager.keyconfigs.user
    keymap = configuration.keymaps.get(VIEW[0]) if configuration is not None else None
    found = [(s, _find(keymap, s)) for s in SHORTCUTS] if keymap is not None else []
    return [(shortcut, item) for shortcut, item in found if item is not None]


def _find(keymap: bpy.types.KeyMap, shortcut: Shortcut) -> bpy.types.KeyMapItem | None:
    for item in keymap.keymap_items:
        if item.idname == shortcut.operator and (
            not shortcut.menu or item.properties.name == shortcut.menu
        ):
            return item
    return None
