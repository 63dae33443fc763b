"""Libraries that cannot be loaded: one sentence, and what to do about it."""

import re
import sys

from ..errors import KinflowError

_SHARED = re.compile(r"(lib[\w.+-]+?\.(?:so|dylib)[\w.]*)")
_DEBIAN = {
    "libGL.so.1": "libgl1",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgomp.so.1": "libgomp1",
    "libxcb.so.1": "libxcb1",
    "libX11.so.6": "libx11-6",
    "libstdc++.so.6": "libstdc++6",
}
"""System libraries that wheels expect, and the packages of Debian and Ubuntu that have them."""


def explained(error: ImportError) -> KinflowError:
    """What an ImportError means to a user."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        sentence = f"The Python package {package} is missing in {sys.executable}."
        return KinflowError(sentence, "Install kinflow again; kinflow doctor lists what it needs.")
    library = _SHARED.search(str(error))
    if library and "No such file" in str(error):
        package = _DEBIAN.get(library[1], "")
        install = f"On Debian and Ubuntu: sudo apt install {package}" if package else "Install it."
        return KinflowError(f"The system library {library[1]} is missing.", install)
    if "DLL load failed" in str(error):
        return KinflowError(
            f"A library cannot be loaded: {error}.",
            "Install Microsoft's Visual C++ Redistributable (x64).",
        )
    return KinflowError(f"A library cannot be loaded: {error}.", "kinflow doctor says more.")
