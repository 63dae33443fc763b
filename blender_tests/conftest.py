"""The add-on registered in pip's bpy, with a real engine process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

# not whichever engine this user's `kinflow setup` noted last
os.environ.setdefault("KINFLOW_PYTHON", sys.executable)
SAMPLES = Path(__file__).parent / "samples"

bpy = pytest.importorskip("bpy", reason="pip's bpy is not installed here")
_status = 0


def shown_vertices(obj):
    """World-space vertices of a mesh, or of a body's by its armature, as Blender draws them."""
    import numpy as np

    from addon.scene import body

    graph = bpy.context.evaluated_depsgraph_get()
    graph.update()
    shown = (obj if obj.type == "MESH" else body.mesh_of(obj)).evaluated_get(graph)
    mesh = shown.to_mesh()
    points = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", points)
    matrix = np.array(shown.matrix_world)
    shown.to_mesh_clear()
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def put_fits(path, people, results):
    """Detected people and their fits into a new photo, as after Fit. -> armatures."""
    from pathlib import Path

    from addon import session
    from addon.scene import keypoints, photos

    photo = photos.open_photo(bpy.context.scene, Path(path))
    keypoints.store_people(photo, people)
    keys = [photos.key_of(photo, person) for person in photo.kinflow.people]
    session.results.update(zip(keys, results, strict=True))
    assert bpy.ops.kinflow.apply_fit(keys=",".join(keys)) == {"FINISHED"}
    return [person.body for person in photo.kinflow.people]


def shown_photo():
    """The photo that is chosen."""
    from addon.scene.choice import chosen

    return chosen(bpy.context).photo


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
