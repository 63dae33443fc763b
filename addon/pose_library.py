"""The poses that the add-on carries, as an asset library of Blender's: listed only when asked."""

from pathlib import Path

import bpy

NAME = "kinflow Poses"
FOLDER = Path(__file__).parent / "assets"
FILE = FOLDER / "kinflow_poses.blend"


def listed() -> bpy.types.UserAssetLibrary | None:
    """The library among the user's, by its folder, whatever it is called there."""
    libraries = bpy.context.preferences.filepaths.asset_libraries
    return next((one for one in libraries if Path(one.path) == FOLDER), None)


def add() -> None:
    """Lists the library; nothing where it is listed."""
    if listed() is None:
        libraries = bpy.context.preferences.filepaths.asset_libraries
        libraries.new(name=NAME, directory=str(FOLDER))
        bpy.context.preferences.is_dirty = True


def remove() -> None:
    """Takes the library off the list, and leaves its file."""
    library = listed()
    if library is not None:
        bpy.context.preferences.filepaths.asset_libraries.remove(library)
        bpy.context.preferences.is_dirty = True
