"""A motion that is written comes back the same; other tools' files arrive where SMPL means them."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygltflib
import pytest
from scipy.spatial.transform import Rotation

from kinflow import Camera, Observation, fit, formats
from kinflow.bodies.arrays import default_body_arrays
from kinflow.bodies.keypoint_names import COCO17
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.cli import main
from kinflow.core.skeleton import JOINT_INDEX, JOINT_NAMES
from kinflow.errors import AssetError, InvalidInputError, KinflowError
from kinflow.formats import Motion, read_motion, write_motion
from kinflow.formats.amass import read_amass, write_amass
from kinflow.formats.bvh import read_bvh_motion, write_bvh
from kinflow.formats.gltf import write_glb
from kinflow.formats.posed import posed_mesh
from kinflow.formats.smpl import read_smpl_npz, write_smpl_npz
from kinflow.formats.tools import plain_name
from kinflow.gravity import gravity_of
from kinflow.records import FitResult

BODY = default_body_arrays()
PELVIS = BODY.J_template[0]
RADIANS, METRES = 1e-4, 1e-4  # of .npz
BVH_DEGREES, BVH_METRES = 0.01, 1e-3


def moving(frames: int = 7, hands: bool = False, seed: int = 0, **more) -> Motion:
    """Anything that joints can do, a quarter turn and beyond among it."""
    random = np.random.default_rng(seed)
    fingers = {
        f"{side}_hand_pose": random.normal(size=(frames, 15, 3)) for side in ("left", "right")
    }
    values = {"fps": 29.97, "gender": "female", "betas": random.normal(size=10)} | more
    if hands:
        values |= fingers
    return Motion(
        random.normal(size=(frames, 3)),
        0.8 * random.normal(size=(frames, 69)),
        random.normal((0, 1, 0), size=(frames, 3)),
        **values,
    )


def turned_by(a: np.ndarray, b: np.ndarray) -> float:
    """Largest angle between rotations as axis-angle (..., 3), radians."""
    first, second = (Rotation.from_rotvec(np.array(v).reshape(-1, 3)) for v in (a, b))
    return float((first.inv() * second).magnitude().max())


def same(a: Motion, b: Motion, radians: float = RADIANS, metres: float = METRES) -> None:
    assert len(a) == len(b) and a.fps == pytest.approx(b.fps, rel=1e-9) and a.up == b.up
    assert turned_by(a.global_orient, b.global_orient) < radians
    assert turned_by(a.body_pose, b.body_pose) < radians
    assert np.abs(a.transl - b.transl).max() < metres
    for name in ("left_hand_pose", "right_hand_pose"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None)
        assert one is None or turned_by(one, other) < radians


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


# -- glTF, read back with the library alone ----------------------------------------------------


class Reading:
    """A .glb as any reader of glTF sees it: accessors as arrays, the mesh as it is drawn."""

    def __init__(self, path: Path) -> None:
        self.gltf = pygltflib.GLTF2().load(str(path))
        self.blob = self.gltf.binary_blob()

    def _view(self, index: int, kind: str, shape: tuple[int, ...]) -> np.ndarray:
        view = self.gltf.bufferViews[index]
        raw = self.blob[view.byteOffset : view.byteOffset + view.byteLength]
        return np.frombuffer(raw, kind).reshape(shape)

    def array(self, index: int) -> np.ndarray:
        accessor = self.gltf.accessors[index]
        width = {"SCALAR": (), "VEC3": (3,), "VEC4": (4,), "MAT4": (4, 4)}[accessor.type]
        kind = {5121: "u1", 5125: "<u4", 5126: "<f4"}[accessor.componentType]
        if accessor.sparse is None:
            return self._view(accessor.bufferView, kind, (accessor.count, *width))
        array = np.zeros((accessor.count, *width), kind)
        count = accessor.sparse.count
        rows = self._view(accessor.sparse.indices.bufferView, "<u4", (count,))
        array[rows] = self._view(accessor.sparse.values.bufferView, kind, (count, *width))
        return array

    def drawn(self, frame: int) -> np.ndarray:
        """Vertices of a frame by the definition of glTF: morph, then skin."""
        gltf = self.gltf
        primitive, skin = gltf.meshes[0].primitives[0], gltf.skins[0]
        vertices = self.array(primitive.attributes.POSITION).astype(float)
        rotation = {n: node.rotation for n, node in enumerate(gltf.nodes)}
        place = {n: node.translation for n, node in enumerate(gltf.nodes)}
        (animation,) = gltf.animations
        for channel in animation.channels:
            values = self.array(animation.samplers[channel.sampler].output)
            times = self.array(animation.samplers[channel.sampler].input)
            if channel.target.path == "weights":
                weights = values.reshape(len(times), -1)[frame]
                assert weights.min() >= 0 and weights.max() <= 1, "Blender keeps to that range"
                for weight, target in zip(weights, primitive.targets, strict=True):
                    vertices += weight * self.array(target["POSITION"])
            else:
                chosen = rotation if channel.target.path == "rotation" else place
                chosen[channel.target.node] = values[frame]
        world = {}

        def descend(number: int, above: np.ndarray) -> None:
            matrix = np.eye(4)
            if rotation[number] is not None:
                matrix[:3, :3] = Rotation.from_quat(rotation[number]).as_matrix()
            matrix[:3, 3] = 0 if place[number] is None else place[number]
            world[number] = above @ matrix
            for child in gltf.nodes[number].children or ():
                descend(child, world[number])

        descend(gltf.scenes[0].nodes[0], np.eye(4))
        inverse = self.array(skin.inverseBindMatrices).swapaxes(1, 2)
        joints = np.array([world[n] @ m for n, m in zip(skin.joints, inverse, strict=True)])
        held = self.array(primitive.attributes.JOINTS_0).astype(int)
        blend = np.einsum("vj,vjab->vab", self.array(primitive.attributes.WEIGHTS_0), joints[held])
        return (blend[:, :3, :3] @ vertices[..., None])[..., 0] + blend[:, :3, 3]


def test_a_glb_draws_the_engines_mesh_in_every_frame(tmp_path):
    motion = moving(frames=3, up="z", betas=0.5 * np.ones(10))
    write_glb(tmp_path / "m.glb", motion, BODY)
    reading = Reading(tmp_path / "m.glb")
    upright = motion.with_up("y", BODY.joints(motion.betas)[0])
    for frame in range(3):
        wanted = posed_mesh(upright, BODY, frame)
        assert np.abs(reading.drawn(frame) - wanted).max() < METRES
    assert [n.name for n in reading.gltf.nodes[:24]] == list(JOINT_NAMES)


def test_a_glb_keeps_to_what_khronos_validator_asks_for(tmp_path):
    write_glb(tmp_path / "m.glb", moving(frames=2), BODY)
    reading = Reading(tmp_path / "m.glb")
    raw = (tmp_path / "m.glb").read_bytes()
    stored = json.loads(raw[20 : 20 + int.from_bytes(raw[12:16], "little")])
    sparse = [a for a in stored["accessors"] if "sparse" in a]
    assert sparse and not any({"bufferView", "byteOffset"} & a.keys() for a in sparse)
    assert all(view.byteOffset % 4 == 0 for view in reading.gltf.bufferViews)
    attributes = reading.gltf.meshes[0].primitives[0].attributes
    weights, held = reading.array(attributes.WEIGHTS_0), reading.array(attributes.JOINTS_0)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert not held[weights == 0].any()
    (root, mesh) = reading.gltf.scenes[0].nodes
    assert reading.gltf.nodes[mesh].skin == 0 and reading.gltf.nodes[root].children == [0]


def test_a_body_of_many_correctives_is_written_without_them(tmp_path, monkeypatch):
    monkeypatch.setattr("kinflow.formats.gltf.MOST_CORRECTIVES", 3)
    motion = moving(frames=2, betas=np.zeros(10))
    write_glb(tmp_path / "m.glb", motion, BODY)
    plain = replace(BODY, offsets=0 * BODY.offsets)
    found = Reading(tmp_path / "m.glb").drawn(1)
    assert np.abs(found - posed_mesh(motion, plain, 1)).max() < METRES


def test_rotations_of_a_glb_take_the_short_way_between_frames(tmp_path):
    frames = np.zeros((40, 3))
    frames[:, 1] = np.linspace(0, 4 * np.pi, 40)
    motion = Motion(frames, np.zeros((40, 69)), np.zeros((40, 3)))
    write_glb(tmp_path / "m.glb", motion, BODY)
    reading = Reading(tmp_path / "m.glb")
    sampler = reading.gltf.animations[0].samplers[0]
    turns = reading.array(sampler.output)
    assert (np.sum(turns[1:] * turns[:-1], 1) > 0.9).all()


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygltflib", None)
    with pytest.raises(KinflowError, match="extra package") as caught:
        write_glb(tmp_path / "m.glb", moving(), BODY)
    assert "kinflow[gltf]" in caught.value.hint and not list(tmp_path.iterdir())


def test_an_obj_holds_the_frame_that_was_asked_for(tmp_path):
    motion = moving(betas=np.zeros(10))
    write_motion(tmp_path / "m.obj", motion, frame=4)
    lines = (tmp_path / "m.obj").read_text().splitlines()
    found = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    np.testing.assert_allclose(found, posed_mesh(motion, BODY, 4), atol=1e-6)


# -- what others wrote -------------------------------------------------------------------------


def test_amass_lies_on_its_back_at_rest_and_stands_up_here(tmp_path):
    poses = np.zeros((3, 165))
    poses[:, :3] = [np.pi / 2, 0, 0]  # how AMASS says upright
    poses[1, 3 * JOINT_INDEX["left_knee"]] = 0.7
    poses[:, 75] = 0.4  # the first finger of the left hand, after jaw and eyes
    trans = np.tile([0.0, 0.0, 1.0], (3, 1))
    np.savez(tmp_path / "a.npz", poses=poses, trans=trans, mocap_frame_rate=60, betas=np.ones(16))
    motion = read_motion(tmp_path / "a.npz")
    upright = motion.with_up("y", PELVIS)
    assert turned_by(upright.global_orient, np.zeros((3, 3))) < 1e-6
    # SMPL turns about the pelvis joint, whose place is kept
    np.testing.assert_allclose(
        upright.transl[0] + PELVIS,
        np.array([0, 0, 1.0])[[0, 2, 1]] + PELVIS[[0, 2, 1]] * [1, 1, -1],
    )
    assert upright.body_pose[1, 3 * JOINT_INDEX["left_knee"] - 3] == 0.7
    assert upright.left_hand_pose[0, 0, 0] == 0.4 and not upright.right_hand_pose.any()
    assert (upright.fps, upright.body) == (60.0, "smplx") and upright.betas.tolist() == [1.0] * 10


@pytest.mark.parametrize("width", [66, 72, 156, 165])
def test_every_width_of_amass_is_read(tmp_path, width):
    np.savez(tmp_path / "a.npz", poses=np.full((2, width), 0.1), trans=np.zeros((2, 3)))
    motion = read_motion(tmp_path / "a.npz")
    assert (motion.left_hand_pose is not None) == (width > 72)
    assert motion.body_pose[0, 63:].any() == (width == 72)


def smplx_fields(frames: int = 4) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {
        "global_orient": 0.1 * random.normal(size=(frames, 3)),
        "body_pose": random.normal(size=(frames, 63)),
        "left_hand_pose": random.normal(size=(frames, 45)),
        "right_hand_pose": random.normal(size=(frames, 6)),  # principal components
        "jaw_pose": np.zeros((frames, 3)),
        "betas": random.normal(size=(frames, 10)),
        "transl": random.normal(size=(frames, 3)),
    }


def test_smplx_fields_are_read_and_hands_in_components_left_out(tmp_path):
    fields = smplx_fields()
    np.savez(tmp_path / "x.npz", **fields)
    motion = read_motion(tmp_path / "x.npz")
    np.testing.assert_array_equal(motion.body_pose[:, :63], fields["body_pose"])
    assert not motion.body_pose[:, 63:].any() and motion.up == "y"
    np.testing.assert_array_equal(motion.left_hand_pose.reshape(4, 45), fields["left_hand_pose"])
    assert motion.right_hand_pose is None


@pytest.mark.parametrize("around", ["pred_smpl_params/{}", "smpl_params.{}", "pred_{}", "0.{}"])
def test_what_stands_around_the_names_does_not_matter(tmp_path, around):
    turns = Rotation.from_euler("xz", [[180, 5], [175, -5]], degrees=True)
    body = Rotation.random(46, random_state=0)
    fields = {
        "global_orient": turns.as_matrix().reshape(2, 1, 3, 3).astype(np.float32),
        "body_pose": body.as_matrix().reshape(2, 23, 3, 3).astype(np.float32),
        "betas": np.ones((2, 10), np.float32),
    }
    named = {around.format(name): value for name, value in fields.items()}
    np.savez(tmp_path / "t.npz", pred_cam_t=[[0, 0, 5.0]] * 2, verts=np.zeros((2, 9, 3)), **named)
    motion = read_motion(tmp_path / "t.npz")
    assert motion.up == "-y" and motion.body == "smpl"
    assert turned_by(motion.body_pose, body.as_rotvec()) < RADIANS
    upright = motion.with_up("y", PELVIS)
    heads_up = Rotation.from_rotvec(upright.global_orient.copy()).as_matrix()[:, 1, 1]
    assert (heads_up > 0.9).all() and (upright.transl[:, 2] < -4).all()


def test_a_pose_in_the_world_is_preferred_to_one_before_the_camera(tmp_path):
    random = np.random.default_rng(0)
    world, trans = 0.2 * random.normal(size=(5, 72)), random.normal(size=(5, 3))
    np.savez(
        tmp_path / "wham.npz",
        pose=random.normal(size=(5, 72)),
        trans=random.normal(size=(5, 3)),
        pose_world=world,
        trans_world=trans,
        betas=random.normal(size=(5, 10)),
    )
    motion = read_motion(tmp_path / "wham.npz")
    np.testing.assert_array_equal(motion.global_orient, world[:, :3])
    np.testing.assert_array_equal(motion.body_pose, world[:, 3:])
    np.testing.assert_array_equal(motion.transl, trans)


def test_a_place_before_the_camera_is_none_in_the_world(tmp_path):
    np.savez(tmp_path / "w.npz", pose_world=np.zeros((5, 72)), trans=np.full((5, 3), 4.0))
    assert not read_motion(tmp_path / "w.npz").transl.any()


def test_names_in_the_camera_come_after_names_in_the_world(tmp_path):
    wanted = 0.1 * np.ones((2, 69))
    np.savez(
        tmp_path / "g.npz",
        **{"smpl_params_incam.body_pose": np.zeros((2, 69))},
        **{"smpl_params_global.body_pose": wanted},
    )
    np.testing.assert_array_equal(read_motion(tmp_path / "g.npz").body_pose, wanted)
    assert plain_name("smpl_params_global.body_pose") == "body_pose"


@pytest.mark.parametrize("name", ["wham.pkl", "hmr2.pt", "a.PTH"])
def test_a_pickle_is_refused_in_one_sentence_that_says_how_else(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(AssetError, match="pickle") as caught:
        read_motion(tmp_path / name)
    assert "numpy.savez" in caught.value.hint


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
        ("a.json", "b.glb", [], "do not turn"),
        ("a.npz", "b.fbx", [], "no kind that is written"),
        ("a.npz", "b.json", [], "do not turn"),
        ("a.npz", "b.bvh", ["--format", "coco"], "not written as coco"),
        ("a.npz", "b.obj", ["--frame", "99"], "no frame 99"),
        ("a.npz", "b.bvh", ["--fps", "-1"], "frames a second"),
        ("none.npz", "b.bvh", [], "no file"),
        ("a.fbx", "b.bvh", [], "no kind of motion"),
    ],
)
def test_what_cannot_be_converted_is_a_sentence(tmp_path, capsys, source, out, more, why):
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
