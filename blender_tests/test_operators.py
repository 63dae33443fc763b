"""Photo to body through the operators, with the real engine process."""

import sys
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from conftest import SAMPLES, shown_photo

from addon import session
from addon.headless.photo import fit_photo
from addon.headless.studio import Output
from addon.operators.common import EngineJob
from addon.scene import body
from kinflow.errors import CancelledError


def test_open_find_and_fit_make_a_body():
    assert bpy.ops.kinflow.import_photo(filepath=str(SAMPLES / "punch.png")) == {"FINISHED"}
    assert bpy.ops.kinflow.detect() == {"FINISHED"}
    assert (
        len(shown_photo().kinflow.people) == 1
        and len(shown_photo().kinflow.people[0].keypoints) == 33
    )
    assert shown_photo().kinflow.people[0].keypoints[0].name == "nose"
    assert bpy.ops.kinflow.fit() == {"FINISHED"}
    armature = body.find_bodies()[0]
    assert (
        armature.kinflow.status in ("converged", "max_iterations")
        and 0 < armature.kinflow.error_px < 15
    )
    point = shown_photo().kinflow.people[0].keypoints[15]
    point.x += 25
    before = np.array(armature.pose.bones["left_shoulder"].matrix)
    assert bpy.ops.kinflow.refit() == {"FINISHED"}
    bpy.context.view_layer.update()
    assert not np.allclose(before, np.array(armature.pose.bones["left_shoulder"].matrix), atol=1e-4)


def test_half_a_person_is_no_error():
    bpy.ops.kinflow.import_photo(filepath=str(SAMPLES / "astronaut.jpg"))
    bpy.ops.kinflow.detect()
    assert bpy.ops.kinflow.fit() == {"FINISHED"}


def test_a_keypoint_switched_off_is_not_used():
    from addon.scene.keypoints import observation_of

    bpy.ops.kinflow.import_photo(filepath=str(SAMPLES / "punch.png"))
    bpy.ops.kinflow.detect()
    person = shown_photo().kinflow.people[0]
    person.keypoints[15].enabled = False
    assert observation_of(shown_photo(), person).confidence[15] == 0


@pytest.mark.parametrize(
    "name,content,sentence",
    [("none.jpg", None, "no file"), ("text.jpg", b"hello", "cannot be read")],
)
def test_bad_photos_are_plain_sentences(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    report = fit_photo(tmp_path / name, tmp_path / "out", Output(render=False))
    assert sentence in report["error"] and "Traceback" not in report["error"]


def test_a_photo_without_people_says_so(tmp_path):
    image = bpy.data.images.new("wall", 300, 300)
    image.filepath_raw, image.file_format = str(tmp_path / "wall.png"), "PNG"
    image.save()
    report = fit_photo(tmp_path / "wall.png", tmp_path / "out", Output(render=False))
    assert "No person was found" in report["error"]


def test_an_engine_that_dies_is_a_sentence_and_the_next_call_works():
    bpy.ops.kinflow.import_photo(filepath=str(SAMPLES / "punch.png"))
    assert bpy.ops.kinflow.detect() == {"FINISHED"}
    session.engine()._process.kill()
    session.engine()._process.wait()
    try:
        bpy.ops.kinflow.fit()
    except RuntimeError as error:
        assert "engine" in str(error).lower()
    assert bpy.ops.kinflow.fit() == {"FINISHED"}


def test_fit_is_grey_before_people_are_found():
    assert not bpy.ops.kinflow.detect.poll()
    assert not bpy.ops.kinflow.fit.poll()


def test_batch_leaves_scene_render_and_fit(tmp_path):
    report = fit_photo(SAMPLES / "punch.png", tmp_path, Output(render=False))
    assert report["people"] == 1
    assert {"scene.blend", "fit.npz", "fit.json"} <= {p.name for p in tmp_path.iterdir()}


def test_no_torch_is_loaded_into_blenders_python():
    assert "torch" not in sys.modules and "cv2" not in sys.modules


def test_the_add_on_unregisters_and_registers_again(registered):
    registered.unregister()
    assert not hasattr(bpy.types.Scene, "kinflow")
    registered.register()
    assert hasattr(bpy.types.Scene, "kinflow")


def test_every_modal_operator_tidies_up_when_blender_ends_it():
    """Blender calls `cancel` when a window is closed or another file is opened."""
    import inspect

    from addon.operators import _CLASSES

    modal = [cls for cls in _CLASSES if hasattr(cls, "modal")]
    assert {cls.bl_idname for cls in modal} >= {"kinflow.fit", "kinflow.move_keypoint"}
    for cls in modal:
        assert any(inspect.isfunction(vars(c).get("cancel")) for c in cls.__mro__), cls


def test_esc_in_find_people_ends_the_engines_work_too():
    engine, waiting = session.engine(), EngineJob()
    engine.call("device_info")
    job = engine.submit("observe", photo=[str(SAMPLES / "punch.png")] * 200)
    while job.fraction == 0 and not job.done:
        engine.poll(0.05)
    waiting._job = session.running_job = job
    pressed = SimpleNamespace(type="ESC", value="PRESS")
    assert waiting.modal(bpy.context, pressed) == {"CANCELLED"}
    assert not session.busy() and bpy.context.scene.kinflow.message == "Cancelled"
    answer = engine.submit("device_info")  # the engine takes one after the other
    for _ in range(200):
        engine.poll(0.1)
        if answer.done:
            break
    assert answer.done
    with pytest.raises(CancelledError):
        job.result()
