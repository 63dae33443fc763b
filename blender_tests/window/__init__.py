"""A real window of Blender on a virtual screen, driven by mouse and keys."""

from .blender import BlenderWindow, WindowError

__all__ = ["BlenderWindow", "WindowError"]
