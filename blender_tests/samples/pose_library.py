"""The add-on's poses: solved in the prior, drawn, and saved as an asset library.

    python -m blender_tests.samples.pose_library [--sheet SHEET.png]

Run it in the repository with the oldest Blender that the add-on supports (pip's bpy 4.2), for what
it saves every later one opens. Writes addon/assets/. --sheet: all poses from before and aside.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from pathlib import Path

import bpy
import numpy as np

import addon
from addon import pose_library
from addon.headless.studio import clear_scene
from addon.operators.pose_asset import pose_action
from addon.scene import body, picture, pull, soles
from kinflow.posing import Effector, Floor, IKResult, solve_ik

from .poses import GUIDE, GUIDES, RECIPES, Recipe

PIXELS = 192
NAMES = uuid.UUID("6f1d3c86-6d5c-4a6e-9e3b-3f3a6e1c2b10")  # catalogs keep their ids


def effectors(recipe: Recipe) -> list[Effector]:
    """What a recipe asks, ends firmly and guides loosely."""
    asked = []
    for joint in dict.fromkeys((*recipe.places, *recipe.turns)):
        turn = recipe.turns.get(joint)
        rotation = None if turn is None else np.radians(np.array(turn, float))
        is_guide = any(word in joint for word in GUIDES)
        weight = GUIDE if is_guide else 1.0
        asked.append(Effector(joint, recipe.places.get(joint), rotation, weight=weight))
    return asked


def solve(recipe: Recipe) -> IKResult:
    """The most natural pose that a recipe allows."""
    return solve_ik(effectors(recipe), floor=Floor(0.0))


def catalog_id(name: str) -> str:
    return str(uuid.uuid5(NAMES, name))


def write_catalogs(folder: Path) -> None:
    top = pose_library.NAME
    lines = [
        "# Asset catalogs of kinflow's poses",
        "VERSION 1",
        "",
        f"{catalog_id(top)}:{top}:{top}",
    ]
    for name in dict.fromkeys(recipe.catalog for recipe in RECIPES):
        lines.append(f"{catalog_id(name)}:{top}/{name}:{top}-{name}")
    (folder / "blender_assets.cats.txt").write_text("\n".join(lines) + "\n", "utf-8")


def make_asset(armature: bpy.types.Object, recipe: Recipe) -> tuple[bpy.types.Action, np.ndarray]:
    """An action with its picture. -> it, and the picture."""
    result = solve(recipe)
    pull.apply(armature, result)
    context = bpy.context
    context.view_layer.update()
    if not recipe.is_in_air:
        soles.lift(armature, -soles.lowest_shown(context, armature))
        context.view_layer.update()
    action = pose_action(armature, recipe.name)
    action.asset_mark()
    action.asset_data.catalog_id = catalog_id(recipe.catalog)
    action.asset_data.author = "kinflow"
    action.asset_data.license = "CC0-1.0"
    action.asset_data.description = "Made from kinflow's pose prior"
    shown = picture.body_picture(context, armature, PIXELS)
    picture.set_preview(action, shown)
    reached = dict(zip([e.joint for e in effectors(recipe)], result.reached, strict=True))
    off = {j: round(100 * r) for j, r in reached.items() if r > 0.05 and not _is_guide(j)}
    print(f"{recipe.name}: log density {result.log_prob:.0f}", off or "", flush=True)
    return action, shown


def _is_guide(joint: str) -> bool:
    return any(word in joint for word in GUIDES)


def sheet_rows(armature: bpy.types.Object) -> list[np.ndarray]:
    """A pose from the left, the front and behind."""
    vertices, faces = picture.shown_mesh(bpy.context, armature)
    views = []
    for angle in (0.9, -1.1, 2.2):
        c, s = np.cos(angle), np.sin(angle)
        turned = vertices @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
        views.append(picture.draw(turned, faces, PIXELS))
    return views


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--only", nargs="*", help="names of some poses; nothing is saved")
    options = parser.parse_args()
    addon.register()
    clear_scene()
    bpy.ops.kinflow.add_body()
    (armature,) = body.find_bodies()
    recipes = [r for r in RECIPES if not options.only or r.name in options.only]
    actions, pictures = [], []
    for recipe in recipes:
        action, shown = make_asset(armature, recipe)
        actions.append(action)
        pictures.append(np.concatenate((shown, *sheet_rows(armature)), axis=1))
    if options.sheet:
        write_sheet(options.sheet, pictures, [r.name for r in recipes])
    if not options.only:
        pose_library.FOLDER.mkdir(exist_ok=True)
        bpy.data.libraries.write(str(pose_library.FILE), set(actions), compress=True)
        write_catalogs(pose_library.FOLDER)
        print(f"{pose_library.FILE}: {pose_library.FILE.stat().st_size / 1e3:.0f} kB")
    sys.stdout.flush()
    os._exit(0)  # bpy 4.2 crashes at exit while an add-on is registered


def write_sheet(path: Path, pictures: list[np.ndarray], names: list[str]) -> None:
    """A page of pictures on grey, four columns."""
    columns = 4
    for name, number in zip(names, range(len(names)), strict=True):
        print(f"row {number // columns + 1}, column {number % columns + 1}: {name}")
    empty = np.zeros_like(pictures[0])
    padded = pictures + [empty] * (-len(pictures) % columns)
    rows = [np.concatenate(padded[i : i + columns], 1) for i in range(0, len(padded), columns)]
    page = np.concatenate(rows, 0)
    alpha = page[..., 3:]
    page = np.concatenate((page[..., :3] * alpha + 0.93 * (1 - alpha), np.ones_like(alpha)), -1)
    image = bpy.data.images.new("sheet", page.shape[1], page.shape[0])
    image.pixels.foreach_set(page[::-1].astype(np.float32).ravel())
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()


if __name__ == "__main__":
    main()
