"""Where kinflow keeps what is no user data."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The user's cache folder for kinflow (KINFLOW_CACHE overrides it)."""
    if override := os.environ.get("KINFLOW_CACHE"):
        return Path(override)
    return platformdirs.user_cache_path("kinflow", appauthor=False, opinion=False)


def engine_note() -> Path:
    """The file in which `kinflow setup` notes which Python has the engine."""
    return cache_folder() / "engine.json"
