"""The add-on registered in pip's bpy, with a real engine process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parent / "samples"

bpy = pytest.importorskip("bpy", reason="pip's bpy is not installed here")
_status = 0


@pytest.fixture(scope="session", autouse=True)
def registered():
    import addon

    # inside a real Blender the installed extension is registered already
    if not hasattr(bpy.types.Scene, "kinflow"):
        addon.register()
    yield addon
    from addon import session

    session.close()


@pytest.fixture(autouse=True)
def empty_scene(registered):
    # not read_factory_settings: that would take the installed extension away
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


@pytest.fixture(scope="session")
def fitted_samples():
    """Observations and fits of the sample photo and two changed copies of it."""
    import tempfile

    import numpy as np

    from addon import session

    folder = Path(tempfile.mkdtemp())
    image = bpy.data.images.load(str(SAMPLES / "punch.png"))
    width, height = image.size
    pixels = np.array(image.pixels[:], np.float32).reshape(height, width, 4)

    def write(name, array):
        out = bpy.data.images.new(name, array.shape[1], array.shape[0])
        out.pixels[:] = array.ravel()
        out.filepath_raw, out.file_format = str(folder / name), "PNG"
        out.save()
        return str(folder / name)

    wide = np.pad(pixels, ((0, 0), (400, 300), (0, 0)), mode="edge")
    photos = {
        "portrait": str(SAMPLES / "punch.png"),
        "landscape": write("landscape.png", wide),
        "cropped": write("cropped.png", pixels[60:, 90:]),
    }
    engine = session.engine()
    result = {}
    for name, path in photos.items():
        people = engine.observe(path)
        result[name] = (path, people, engine.fit(people, device="cpu"))
    return result


def pytest_sessionfinish(session, exitstatus):
    global _status
    _status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    # bpy 4.2 crashes and 4.5 hangs at exit while an add-on is registered
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_status)
