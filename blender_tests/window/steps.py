"""A step of a journey, and what all steps share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .blender import BlenderWindow
from .screen import WindowError

SLOW = 120.0  # seconds
TAB = "kinflow"
BODY = "[o for o in D.objects if o.type == 'ARMATURE' and o.kinflow.is_body][-1]"

# for questions only: the extension's modules by name, and where something is on the screen
QUESTIONS = """
import importlib, math
_name = next(a.module for a in C.preferences.addons if a.module.split('.')[-1] == 'kinflow')
def K(module): return importlib.import_module(f'{_name}.{module}')
def idle(): return not C.scene.kinflow.job_text
def chosen(): return K('scene.choice').chosen(bpy.context)
def photos(): return K('scene.photos').all_photos(C.scene)
def on_screen(place):
    x, y, width, height = box()
    return [int(x + place[0]), int(y + height - place[1])]
def keypoint(name):
    photo = chosen().photo
    view = K('scene.photo_view').photo_view(bpy.context, photo)
    point = next(p for p in chosen().person.keypoints if p.name == name)
    return on_screen(view.to_region([[point.x, point.y]])[0])
def handle(joint, body=None):
    from bpy_extras.view3d_utils import location_3d_to_region_2d as project
    place = K('scene.pins').handle_place(body or chosen().body, joint)
    return on_screen(project(bpy.context.region, bpy.context.space_data.region_3d, place))
def handles(body):
    return [handle(joint, body) for joint in K('scene.pins').HANDLES]
def true_sliders(body=None):
    body, latent = body or chosen().body, K('scene.latent')
    apart = latent.decode(body, latent.latent(body)) - K('scene.pose').read_body_pose(body)
    return float(abs(apart).max()) < 0.01
def lowest(body):
    import numpy as np
    mesh = K('scene.body').mesh_of(body).evaluated_get(C.evaluated_depsgraph_get())
    return float(np.min([(mesh.matrix_world @ v.co).z for v in mesh.data.vertices]))
def headers():
    sidebar = K('ui.sidebar')
    found = [c for c in K('ui')._CLASSES if issubclass(c, bpy.types.Panel)]
    return [c.bl_label for c in found if 'bl_parent_id' not in vars(c)
            and (chosen().body or not issubclass(c, sidebar.BodyPanel))]
"""


@dataclass(frozen=True)
class Trip:
    """What the steps share."""

    window: BlenderWindow
    photo: Path
    folder: Path
    has_engine: bool

    def check(self, code: str, sentence: str) -> None:
        """Raises WindowError with a sentence where Python in Blender is not true."""
        if not self.window.ask(code):
            raise WindowError(f"{sentence} ({code})")


@dataclass(frozen=True)
class Step:
    """A step's name, what it does, and whether it needs the engine."""

    name: str
    walk: Callable[[Trip], None]
    needs_engine: bool = False


def steps(walks: Iterable[Callable[[Trip], None]], *, need_engine: bool) -> tuple[Step, ...]:
    """Steps that are called as their functions are."""
    return tuple(Step(w.__name__.replace("_", "-"), w, need_engine) for w in walks)
