"""Panels only: no logic in draw()."""

from __future__ import annotations

from .panels import register, unregister

__all__ = ["register", "unregister"]
