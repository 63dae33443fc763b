"""Drives the engine process: from Blender's timer without blocking, or from a script with plain
calls. Imports numpy and the standard library only."""

from .engine import Engine
from .job import Job

__all__ = ["Engine", "Job"]
