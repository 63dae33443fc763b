"""Scenes of a folder of photos, without a window: what the engine's batch left is given."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from conftest import shown_vertices

from addon import session
from addon.headless import folder as headless
from addon.headless import studio
from addon.headless.studio import Output
from addon.scene import body
from addon.scene.frames import Viewpoint
from kinflow.gravity import gravity_of

SCRIPT = Path(__file__).parents[1] / "addon/headless/batch.py"


@pytest.fixture
def fit_folder(fitted_samples, monkeypatch, tmp_path, capsys):
    """Runs it over photos of these stems, one person each. -> failures, report by stem."""
    photo, _, (result, *_) = fitted_samples["portrait"]

    def run(stems, form="blend"):
        for stem in stems:
            result.save(tmp_path / f"{stem}.0.npz")
        sources = [{"path": f"{photo}/{stem}", "frame": 0, "stem": stem} for stem in stems]
        answer = {"failed": {}, "sources": sources}
        engine = SimpleNamespace(call=lambda *words, **options: answer)
        monkeypatch.setattr(session, "engine", lambda: engine)
        failed = headless.fit_many([photo], tmp_path, Output(form, render=False))
        lines = [x for x in capsys.readouterr().out.splitlines() if x.startswith('{"photo"')]
        reports = map(json.loads, lines)
        return failed, {Path(r["photo"].removesuffix("#0")).name: r for r in reports}

    return run


def test_a_scene_shows_nobody_of_a_photo_whose_name_begins_alike(fit_folder):
    failed, reports = fit_folder(["a", "a.b", "a.000001"])
    assert failed == 0
    assert [reports[stem]["people"] for stem in ("a", "a.b", "a.000001")] == [1, 1, 1]


@pytest.mark.parametrize("name", ['a, "b".png', os.fsdecode(b"caf\xe9.png")])
def test_a_photo_of_any_name_gets_its_scene(fitted_samples, tmp_path, name):
    sample, _, (result, *_) = fitted_samples["portrait"]
    photo = Path(shutil.copy(sample, tmp_path / name))
    result.save(tmp_path / "fit.npz")
    source = {"path": str(photo), "frame": None, "stem": photo.stem}
    fits = [tmp_path / "fit.npz"] * 2
    folder = tmp_path / photo.stem
    report = headless._make_scene(source, fits, folder, Output("blend", render=False))
    assert report.get("people") == 2 and (folder / "scene.blend").exists(), report
    assert len(body.find_bodies()) == 2


@pytest.mark.parametrize("form", ["blend", "glb"])
def test_a_scene_that_is_opened_again_stands_on_the_floor_as_it_was_fitted(
    fitted_samples, tmp_path, form
):
    """Two people of a photo from above, one of them in the air."""
    _, _, (result, *_) = fitted_samples["portrait"]
    gravity = gravity_of(-20.0, 3.0)
    floor = float((result.vertices @ gravity).max())
    results = []
    for n, way in enumerate((0.0 * gravity, np.array([1.5, 0, 0]) - 0.3 * gravity)):
        places = {name: getattr(result, name) + way for name in ("transl", "vertices", "joints")}
        results.append(replace(result, **places, gravity=gravity, floor=floor))
        results[n].save(tmp_path / f"a.{n}.npz")
    source = {"path": "a", "frame": None, "stem": "a"}
    fits = [tmp_path / f"a.{n}.npz" for n in range(2)]
    headless._make_scene(source, fits, tmp_path / "a", Output(form, render=False))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = str(tmp_path / "a" / f"scene.{form}")
    if form == "blend":
        bpy.ops.wm.open_mainfile(filepath=scene)
    else:
        bpy.ops.import_scene.gltf(filepath=scene)
    bodies = [o for o in bpy.data.objects if o.type == "MESH" and o.find_armature() is not None]
    found = sorted((shown_vertices(o) for o in bodies), key=lambda v: v[:, 2].min())
    view = Viewpoint.above_floor(gravity, floor)
    for vertices, fit in zip(found, results, strict=True):
        wanted = view.points(fit.vertices)
        np.testing.assert_allclose(vertices.min(0), wanted.min(0), atol=1e-3)
        np.testing.assert_allclose(vertices.max(0), wanted.max(0), atol=1e-3)
    assert abs(found[0][:, 2].min()) < 1e-3


def test_a_scene_that_cannot_be_written_is_a_sentence_and_the_others_go_on(fit_folder, tmp_path):
    (tmp_path / "a").write_text("a file where the scene's folder has to be")
    failed, reports = fit_folder(["a", "b"])
    assert failed == 1 and (tmp_path / "b/scene.blend").exists()
    assert reports["a"]["error"].startswith(f"{tmp_path / 'a'} cannot be written: File exists")


def test_an_export_that_is_cut_off_is_no_scene(fit_folder, tmp_path, monkeypatch):
    replace = os.replace

    def full_disk(source, target):
        if Path(target).suffix == ".glb":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full_disk)
        failed, reports = fit_folder(["a"], "glb")
    assert failed == 1 and "cannot be written: No space left on device." in reports["a"]["error"]
    assert not list((tmp_path / "a").iterdir())
    failed, _ = fit_folder(["a"], "glb")
    assert failed == 0 and [p.name for p in (tmp_path / "a").iterdir()] == ["scene.glb"]


def test_the_exporters_traceback_becomes_one_sentence(tmp_path):
    (tmp_path / "unfinished.glb").mkdir()
    with pytest.raises(studio.KinflowError) as error, studio.writing(tmp_path):
        bpy.ops.export_scene.gltf(filepath=str(tmp_path / "unfinished.glb"), export_format="GLB")
    assert str(error.value).startswith(f"{tmp_path} cannot be written: Is a directory")
    assert "\n" not in str(error.value)


def test_a_run_leaves_no_temporary_folder(tmp_path):
    words = [str(tmp_path / "none.png"), "--output", str(tmp_path / "out")]
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    ended = subprocess.run(
        [sys.executable, SCRIPT, *words],
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(scratch)},
        timeout=120,
    )
    assert ended.returncode == 1 and "none.png" in ended.stderr
    assert not list(scratch.iterdir())
