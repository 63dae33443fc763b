"""How the sidebar is made: what a panel offers when, and where its code is."""

import ast
from pathlib import Path

import bpy
import pytest
from conftest import put_fits
from drawn_panels import drawn

import addon
from addon.scene.viewport import viewports
from addon.ui import fit_panel

ADDON = Path(addon.__file__).parent


def classes_in(path):
    """Of a module: each class with the names of what it derives from, and its plain values."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base) for base in node.bases}
            yield node.name, bases, {ast.unparse(n.targets[0]) for n in assignments(node)}


def assignments(node):
    return [n for n in node.body if isinstance(n, ast.Assign)]


def modules(folder):
    return sorted((ADDON / folder).glob("*.py"))


def test_there_is_one_operator_a_file():
    for path in modules("operators"):
        names = [name for name, bases, _ in classes_in(path) if "bpy.types.Operator" in bases]
        assert len(names) <= 1, path.name


def test_a_file_has_one_panel_and_what_is_below_it():
    for path in modules("ui"):
        panels = [found for found in classes_in(path) if "bpy.types.Panel" in found[1]]
        assert sum("bl_parent_id" not in values for _, _, values in panels) <= 1, path.name


@pytest.fixture
def viewport(fitted_samples):
    put_fits(*fitted_samples["portrait"])
    bpy.context.view_layer.update()
    return viewports(bpy.context.window_manager.windows[0])[0]


def test_while_bodies_are_see_through_the_panel_has_how_much(viewport):
    def offered():
        properties = drawn(fit_panel.KINFLOW_PT_fit).properties
        return [name for _, name in properties if name == "xray_alpha"]

    where = {"window": viewport.window, "area": viewport.area, "region": viewport.region}
    assert offered() == []
    with bpy.context.temp_override(**where):
        bpy.ops.kinflow.look_through()
    assert offered() == ["xray_alpha"]
    with bpy.context.temp_override(**where):
        bpy.ops.kinflow.look_through()
    assert offered() == []


def test_through_the_photo_the_skeleton_is_seen_in_front_of_the_body(viewport):
    from addon.scene.choice import chosen

    where = {"window": viewport.window, "area": viewport.area, "region": viewport.region}
    with bpy.context.temp_override(**where):
        bpy.ops.kinflow.look_through()
    rig = chosen(bpy.context).body
    assert rig.show_in_front and rig.visible_get() and viewport.space.overlay.show_bones
