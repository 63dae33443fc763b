"""Pictures of a body's hypotheses, in words what sets them apart: kept while Blender runs.

They are found by what the hypotheses hold, so undo and redo leave them true. A panel asks for those
that are missing, and a timer draws them: `draw()` may not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import bpy
import bpy.utils.previews
import numpy as np

from . import body_picture, camera
from .body import find_bodies
from .differences import tell_apart
from .parameters import Parameters
from .photos import photo_of_body

MAX_KEPT = 32  # sets of pictures
_ICON = 32  # px


@dataclass(frozen=True)
class Shown:
    """One hypothesis in a panel: what it is told by, and the number of its picture's icon."""

    words: str
    icon: int


_previews: bpy.utils.previews.ImagePreviewCollection | None = None
_kept: dict[str, tuple[Shown, ...]] = {}
_wanted: set[str] = set()


def of(armature: bpy.types.Object) -> tuple[Shown, ...]:
    """The pictures of a body's hypotheses, in their order; none where they are not yet drawn."""
    return _kept.get(_key(armature), ())


def want(armature: bpy.types.Object) -> None:
    """Has them drawn soon, where they are not yet."""
    key = _key(armature)
    if key not in _kept:
        _wanted.add(key)
        # another file that is opened takes the timer away
        if not bpy.app.timers.is_registered(_draw_wanted):
            bpy.app.timers.register(_draw_wanted)


def draw(armature: bpy.types.Object) -> tuple[Shown, ...]:
    """Draws the pictures of a body's hypotheses where they are not yet, about 40 ms each."""
    global _previews
    key, hypotheses = _key(armature), armature.kinflow.hypotheses
    if key in _kept:
        return _kept[key]
    if len(_kept) >= MAX_KEPT:
        clear()
    if _previews is None:
        _previews = bpy.utils.previews.new()
    turn = camera.viewpoint(photo_of_body(armature)).turn
    figures = [body_picture.figure(Parameters.from_json(h.data), turn) for h in hypotheses]
    best = int(np.argmin([h.energy for h in hypotheses]))
    words = tell_apart([f.joints for f in figures], best)
    pictures = body_picture.draw(figures, best, turn @ np.array([0.0, 0.0, 1.0]))
    icons = [_icon(f"{key} {k}", p) for k, p in enumerate(pictures)]
    _kept[key] = tuple(Shown(w, i) for w, i in zip(words, icons, strict=True))
    return _kept[key]


def clear() -> None:
    """Forgets all pictures."""
    global _previews
    _kept.clear()
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None


def unregister() -> None:
    """Draws nothing any more."""
    if bpy.app.timers.is_registered(_draw_wanted):
        bpy.app.timers.unregister(_draw_wanted)
    _wanted.clear()
    clear()


def _draw_wanted() -> None:
    for armature in find_bodies():
        if len(armature.kinflow.hypotheses) and _key(armature) in _wanted:
            draw(armature)
    _wanted.clear()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


def _key(armature: bpy.types.Object) -> str:
    data = "".join(h.data for h in armature.kinflow.hypotheses)
    return hashlib.sha256(data.encode()).hexdigest()


def _icon(name: str, picture: np.ndarray) -> int:
    """Puts a picture (N, N, 4) uint8 RGBA where panels can show it. -> its icon's number."""
    preview = _previews.new(name)
    # Blender's rows begin below
    upright = np.ascontiguousarray(picture[::-1], np.float32) / 255
    step = len(picture) // _ICON
    preview.icon_size, preview.image_size = (_ICON, _ICON), picture.shape[:2]
    preview.icon_pixels_float.foreach_set(upright[::step, ::step].ravel())
    preview.image_pixels_float.foreach_set(upright.ravel())
    return preview.icon_id
