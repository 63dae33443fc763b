"""Photos to .blend or glTF without a window, for `blender --background` and for Pythons with bpy.

blender --background --python addon/headless/batch.py -- PHOTO|FOLDER|PATTERN|VIDEO... --output DIR

A script: it finds the add-on, installed or in the folder it lies in, and runs its command line.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import bpy

SOURCES = Path(__file__).resolve().parents[1]


def find_addon() -> ModuleType | None:
    """The installed add-on, or the one from its source folder; None without kinflow."""
    names = [addon.module for addon in bpy.context.preferences.addons]
    installed = [name for name in names if name.split(".")[-1] == "kinflow"]
    if installed:
        return importlib.import_module(installed[0])
    if importlib.util.find_spec("kinflow") is None:
        return None
    spec = importlib.util.spec_from_file_location("kinflow_addon", SOURCES / "__init__.py")
    package = importlib.util.module_from_spec(spec)
    sys.modules["kinflow_addon"] = package
    spec.loader.exec_module(package)
    package.register()
    return package


def main() -> None:
    package = find_addon()
    if package is None:
        sys.exit(
            "kinflow is not in this Blender: install the extension (python3 build.py addon), "
            "then run this again."
        )
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    command_line = importlib.import_module(f"{package.__name__}.headless.command_line")
    command_line.leave(command_line.fit(words))


if __name__ == "__main__":
    main()
