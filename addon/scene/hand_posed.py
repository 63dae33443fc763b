"""Bones posed by hand, keys, drivers or undo are read into the sliders, so that these are true.

After each evaluation of the scene the bones are compared with how kinflow left them. Where they
differ, and the sliders do not say so already, the pose is encoded; nothing moves by that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import bpy
import numpy as np
from bpy.app.handlers import persistent

from kinflow.core.skeleton import JOINT_NAMES

from . import body, bones, latent, pins, pose

SAME = 1e-3  # of a rotation matrix' entries


@dataclass(frozen=True)
class _Known:
    """How a body's bones (23, 3, 3) and sliders (D,) were left; whether evaluated since."""

    rotations: np.ndarray
    sigmas: np.ndarray
    evaluated: bool = False


_known: dict[int, _Known] = {}


def note(armature: bpy.types.Object) -> None:
    """Takes bones and sliders as they are now for kinflow's own doing."""
    _known[armature.session_uid] = _Known(_read(armature), latent.written(armature))


def read_in(armature: bpy.types.Object) -> None:
    """Encodes a pose made by hand since; call before something is changed."""
    if armature.library is not None or armature.mode == "EDIT":
        return
    known, now = _known.get(armature.session_uid), _read(armature)
    if known is not None and not known.evaluated:
        # what constraints make of kinflow's own pose is known only after an evaluation
        free = ~_alone(armature)
        if _same(now[free], known.rotations[free]):
            _known[armature.session_uid] = replace(known, rotations=now, evaluated=True)
            return
    if known is not None and _same(now, known.rotations):
        return
    if not _same(now, latent.decode(armature, latent.latent(armature))):
        latent.write_latent(armature, latent.encode(armature, now))
    _known[armature.session_uid] = _Known(now, latent.written(armature), True)


def before_slider(armature: bpy.types.Object) -> None:
    """A slider has just been changed: what was posed by hand before it, and was not read in yet,
    becomes the other sliders.
    """
    known = _known.get(armature.session_uid)
    if known is None or _same(_read(armature), known.rotations):
        return
    asked = latent.written(armature)
    if len(asked) != len(known.sigmas):
        return
    sigmas = latent.encode(armature, _read(armature))
    changed = np.abs(asked - known.sigmas) > 1e-6
    sigmas[changed] = asked[changed]
    latent.write_latent(armature, sigmas)


def _read(armature: bpy.types.Object) -> np.ndarray:
    """Rotations (23, 3, 3) as the bones' own properties say; of those that constraints turn, as
    Blender shows them.
    """
    rotations = bones.turns(armature)[1:]
    alone = _alone(armature)
    if alone.any():
        rotations[alone] = pose.read_body_pose(armature)[alone]
    return rotations


def _alone(armature: bpy.types.Object) -> np.ndarray:
    reasons = pins.left_alone(armature)
    return np.array([name in reasons for name in JOINT_NAMES[1:]])


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.abs(a - b).max(initial=0.0) < SAME)


@persistent
def _after_evaluation(scene: bpy.types.Scene, graph: bpy.types.Depsgraph) -> None:
    for update in graph.updates:
        if isinstance(update.id, bpy.types.Object) and body.is_body(update.id.original):
            _follow(update.id.original)


@persistent
def _after_change(*_: object) -> None:
    """Of a frame, and after undo, redo and opening a file: bodies of the scenes."""
    if not bpy.app.is_job_running("RENDER"):
        for armature in body.find_bodies():
            _follow(armature)


def _follow(armature: bpy.types.Object) -> None:
    if armature.library is None:
        body.own_data(armature)
        read_in(armature)


_HANDLERS = {
    "depsgraph_update_post": _after_evaluation,
    "frame_change_post": _after_change,
    "undo_post": _after_change,
    "redo_post": _after_change,
    "load_post": _after_change,
}


def register() -> None:
    for name, function in _HANDLERS.items():
        getattr(bpy.app.handlers, name).append(function)


def unregister() -> None:
    for name, function in _HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(function)
    _known.clear()
