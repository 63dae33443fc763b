"""Panels only: no logic in draw()."""

from __future__ import annotations

from . import keypoint_gizmo, panels


def register() -> None:
    panels.register()
    keypoint_gizmo.register()


def unregister() -> None:
    keypoint_gizmo.unregister()
    panels.unregister()
