"""The same tests inside a real Blender, on the installed extension.

    export BLENDER_USER_RESOURCES=DIR
    blender --command extension install-file -r user_default -e dist/kinflow-0.2.0.zip
    KINFLOW_PYTHON=.venv/bin/python KINFLOW_PYTEST=.venv/lib/python3.11/site-packages \\
        blender --background --python blender_tests/inside_blender.py -- [PYTEST ARGUMENTS]

The tests import `addon`; here that name means the installed extension, each of its modules once.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from pathlib import Path

import bpy

HERE = Path(__file__).parent


class _InstalledAddon(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """`addon.x` -> the installed extension's module x."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(self, name, path=None, target=None):
        return (
            importlib.machinery.ModuleSpec(name, self)
            if name == "addon" or name.startswith("addon.")
            else None
        )

    def create_module(self, spec):
        return importlib.import_module(self.package + spec.name.removeprefix("addon"))

    def exec_module(self, module):
        pass


def main() -> None:
    names = [addon.module for addon in bpy.context.preferences.addons]
    package = next((name for name in names if name.split(".")[-1] == "kinflow"), None)
    if package is None:
        sys.exit("kinflow is not installed in this Blender")
    # pure Python alone: pytest and what it needs
    sys.path.append(os.environ["KINFLOW_PYTEST"])
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    sys.meta_path.insert(0, _InstalledAddon(package))
    import pytest

    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    status = pytest.main(
        ["-q", "-p", "no:cacheprovider", "--rootdir", str(HERE), *words, str(HERE)]
    )
    sys.stdout.flush()
    os._exit(int(status))


main()
