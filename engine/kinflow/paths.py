"""Where kinflow keeps what is no user data (standard library only)."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache folder for kinflow (KINFLOW_CACHE overrides it)."""
    if override := os.environ.get("KINFLOW_CACHE"):
        return Path(override)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "kinflow"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/kinflow"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kinflow"


def engine_note() -> Path:
    """The file in which `kinflow setup` notes which Python has the engine."""
    return cache_folder() / "engine.json"
