"""A motion that is written comes back the same."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
from dataclasses import replace

import numpy as np
import pytest
from motions import BODY, BVH_DEGREES, BVH_METRES, PELVIS, moving, same
from scipy.spatial.transform import Rotation

from kinflow import Camera, Observation, fit, formats
from kinflow.bodies.keypoint_names import COCO17
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.cli import main
from kinflow.errors import InvalidInputError
from kinflow.formats import Motion, read_motion, write_motion
from kinflow.formats.amass import read_amass, write_amass
from kinflow.formats.bvh import read_bvh_motion, write_bvh
from kinflow.formats.posed import posed_mesh
from kinflow.formats.smpl import read_smpl_npz, write_smpl_npz
from kinflow.gravity import gravity_of
from kinflow.records import FitResult

# -- out and in again --------------------------------------------------------------------------


@pytest.mark.parametrize("hands", [False, True])
@pytest.mark.parametrize("kind", ["smpl", "amass"])
def test_an_npz_comes_back_the_same(tmp_path, kind, hands):
    motion = moving(hands=hands, body=BODY.name)
    write_motion(tmp_path / "m.npz", motion, kind=kind)
    again = read_motion(tmp_path / "m.npz")
    assert again.up == ("z" if kind == "amass" else "y")
    same(motion, again.with_up("y", BODY.joints(motion.betas)[0]))
    np.testing.assert_allclose(again.betas, motion.betas, atol=1e-6)
    assert (again.gender, again.body) == ("female", BODY.name)


def test_amass_holds_what_its_readers_look_for(tmp_path):
    write_amass(tmp_path / "m.npz", moving(hands=True), PELVIS)
    with np.load(tmp_path / "m.npz") as data:
        assert data["poses"].shape == (7, 156) and data["trans"].shape == (7, 3)
        assert float(data["mocap_framerate"]) == 29.97 and str(data["gender"]) == "female"


def test_the_npz_in_smpls_names_gives_smplx_the_same_body(tmp_path):
    motion = moving(frames=1)
    write_smpl_npz(tmp_path / "m.npz", motion, PELVIS)
    with np.load(tmp_path / "m.npz") as data:
        shapes = {name: data[name].shape for name in ("global_orient", "body_pose", "betas")}
        assert shapes == {"global_orient": (1, 3), "body_pose": (1, 69), "betas": (1, 10)}
        np.testing.assert_array_equal(data["transl"], motion.transl)


def test_a_bvh_comes_back_the_same(tmp_path):
    motion = moving(betas=np.zeros(10))
    write_bvh(tmp_path / "m.bvh", motion, BODY.J_template)
    again = read_bvh_motion(tmp_path / "m.bvh", PELVIS)
    same(motion, again, np.radians(BVH_DEGREES), BVH_METRES)


def test_a_bvh_of_right_angles_comes_back_the_same(tmp_path):
    quarter = Rotation.from_euler("xy", [90, 23], degrees=True).as_rotvec()
    motion = Motion(quarter[None], np.tile(quarter, (1, 23)), np.zeros((1, 3)))
    write_bvh(tmp_path / "m.bvh", motion, BODY.J_template)
    again = read_bvh_motion(tmp_path / "m.bvh", PELVIS)
    same(motion, again, np.radians(BVH_DEGREES), BVH_METRES)


@pytest.mark.parametrize(
    ("unit", "up"), [(1.0, "z"), (0.001, "y"), (0.01, "z"), (0.0254 / 0.45, "y")]
)
def test_a_bvhs_own_axes_and_unit_are_told_from_its_rest_pose(tmp_path, unit, up):
    motion = moving(betas=np.zeros(10))
    write_bvh(tmp_path / "m.bvh", motion, BODY.J_template)
    text = (tmp_path / "m.bvh").read_text()
    (tmp_path / "n.bvh").write_text(rewritten(text, 0.01 / unit, up))
    again = read_bvh_motion(tmp_path / "n.bvh", PELVIS)
    same(motion, again, np.radians(BVH_DEGREES), BVH_METRES)


def rewritten(text: str, scale: float, up: str) -> str:
    """The same motion in another unit and, as Blender writes it, with Z up and facing -Y."""
    lines = []
    for line in text.splitlines():
        words = line.split()
        if words[0] == "OFFSET":
            line = "OFFSET " + " ".join(map(str, axes([float(w) * scale for w in words[1:]], up)))
        elif words[0] == "CHANNELS" and up == "z":
            line = line.replace("Yrotation", "@").replace("Zrotation", "Yrotation")
            line = line.replace("@", "Zrotation")
        elif words[0].lstrip("-")[0].isdigit():
            values = np.array([float(w) for w in words])
            values[:3] = axes(values[:3] * scale, up)
            if up == "z":
                values[3::3] *= -1  # a turn about their Y is one about -Z of ours
            line = " ".join(f"{v:.9f}" for v in values)
        lines.append(line)
    return "\n".join(lines)


def axes(place, up: str):
    x, y, z = place
    return (x, -z, y) if up == "z" else (x, y, z)


def test_an_obj_holds_the_frame_that_was_asked_for(tmp_path):
    motion = moving(betas=np.zeros(10))
    write_motion(tmp_path / "m.obj", motion, frame=4)
    lines = (tmp_path / "m.obj").read_text().splitlines()
    found = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    np.testing.assert_allclose(found, posed_mesh(motion, BODY, 4), atol=1e-6)


# -- our own fits ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tilted() -> FitResult:
    """A fit to the default body, seen from a camera that looks down."""
    regress = keypoint_regressor(BODY, "coco17")
    points = regress(BODY.J_template[None], BODY.v_template[None])[0]
    camera = Camera(800, 800, 320, 240, 640, 480)
    seen = camera.project(points * [1, -1, -1] + [0.1, 0, 4])
    (result,) = fit(
        Observation(seen, np.ones(len(COCO17)), "coco17", camera), losses=("ka",), device="cpu"
    )
    return replace(result, gravity=gravity_of(-20, 5).astype(np.float32), floor=1.4)


def test_a_fit_stands_upright_on_its_floor_as_its_obj_does(tmp_path, tilted):
    tilted.save(tmp_path / "fit.npz")
    tilted.to_obj(tmp_path / "fit.obj")
    motion = read_motion(tmp_path / "fit.npz")
    assert motion.body == BODY.name and motion.up == "y"
    write_motion(tmp_path / "motion.obj", motion)
    places = []
    for name in ("fit", "motion"):
        lines = (tmp_path / f"{name}.obj").read_text().splitlines()
        places.append(np.array([x.split()[1:] for x in lines if x.startswith("v ")], float))
    np.testing.assert_allclose(places[0], places[1], atol=2e-5)


def test_fits_of_one_person_become_one_motion_and_gaps_hold_still(tmp_path, tilted):
    frames = {0: 0.0, 1: 0.1, 4: 0.2}
    for photo, angle in frames.items():
        pose = tilted.body_pose.copy()
        pose[3, 0] = angle
        replace(tilted, body_pose=pose, photo=photo).save(tmp_path / f"v.{photo:06d}.0.npz")
    replace(tilted, photo=2).save(tmp_path / "v.000002.1.npz")
    assert main(["convert", str(tmp_path), str(tmp_path / "m.npz"), "--fps", "25"]) == 0
    motion = read_smpl_npz(tmp_path / "m.npz")
    assert motion.fps == 25
    np.testing.assert_allclose(motion.body_pose[:, 9], [0, 0.1, 0.1, 0.1, 0.2], atol=1e-6)


def test_nobody_fitted_is_a_sentence(tmp_path, tilted):
    replace(tilted, status="failed").save(tmp_path / "v.0.npz")
    with pytest.raises(InvalidInputError, match="No frame"):
        read_motion(tmp_path / "v.0.npz")
    assert main(["convert", str(tmp_path), str(tmp_path / "m.npz")]) == 1


# -- the command -------------------------------------------------------------------------------


def test_convert_goes_by_the_endings_and_says_what_it_wrote(tmp_path, capsys):
    write_smpl_npz(tmp_path / "a.npz", moving(body="smpl"), PELVIS)
    words = [("a.npz", "b.bvh"), ("b.bvh", "c.npz", "--format", "amass"), ("c.npz", "d.glb")]
    for source, out, *more in (*words, ("c.npz", "e.obj", "--frame", "6")):
        assert main(["convert", str(tmp_path / source), str(tmp_path / out), *more, "--json"]) == 0
        printed = capsys.readouterr()
        assert json.loads(printed.out.splitlines()[-1])["frames"] == 7
        assert (
            out in printed.err
            and ("frame 6 of 7" if more[:1] == ["--frame"] else "7 frames") in printed.err
        )
        assert ("shape is of another body" in printed.err) == (source == "a.npz")
    assert read_amass(tmp_path / "c.npz").fps == pytest.approx(29.97)


def test_keypoints_are_converted_too(tmp_path, capsys):
    person = Observation(np.arange(34.0).reshape(17, 2), np.full(17, 0.5))
    (tmp_path / "a.json").write_text(json.dumps([person.to_json()]))
    for kind in ("openpose", "coco", "kinflow"):
        words = [str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--format", kind]
        assert main(["convert", *words]) == 0
        assert kind in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "out", "more", "why"),
    [
        ("k.json", "b.glb", [], "do not turn"),
        ("a.npz", "b.fbx", [], "no kind that is written"),
        ("a.npz", "b.json", [], "do not turn"),
        ("a.npz", "b.bvh", ["--format", "coco"], "not written as coco"),
        ("a.npz", "b.obj", ["--frame", "99"], "no frame 99"),
        ("a.npz", "b.bvh", ["--fps", "-1"], "frames a second"),
        ("none.npz", "b.bvh", [], "no file"),
        ("k.fbx", "b.bvh", [], "no kind of motion"),
        ("k.jpg", "b.glb", [], "Fit it first: kinflow fit"),
    ],
)
def test_what_cannot_be_converted_is_a_sentence(tmp_path, capsys, source, out, more, why):
    for name in ("k.json", "k.fbx", "k.jpg"):
        (tmp_path / name).touch()
    write_smpl_npz(tmp_path / "a.npz", moving(), PELVIS)
    assert main(["convert", str(tmp_path / source), str(tmp_path / out), *more]) == 1
    assert why in capsys.readouterr().err
    assert not (tmp_path / out).exists()


@pytest.mark.parametrize(
    "values",
    [
        {"transl": np.zeros((6, 3))},
        {"body_pose": np.zeros((7, 63))},
        {"body_pose": np.zeros((0, 69))},
        {"global_orient": np.full((7, 3), np.nan)},
        {"betas": np.full(10, np.inf)},
        {"fps": 0.0},
        {"fps": float("nan")},
        {"up": "x"},
        {"gender": "other"},
    ],
)
def test_a_motion_that_makes_no_sense_is_a_sentence(values):
    with pytest.raises(InvalidInputError) as caught:
        replace(moving(), **values)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(formats.__path__)])
def test_the_examples_of_the_docstrings_run(name):
    module = importlib.import_module(f"kinflow.formats.{name}")
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    assert not doctest.testmod(module, optionflags=flags).failed
