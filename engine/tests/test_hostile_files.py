"""Photos, motion and keypoint files as people and attackers have them: a sentence each."""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from systems import posix
from test_mocap import ASF, write_bvh

from kinflow.bodies.smpl_files import read_smpl
from kinflow.errors import AssetError, InvalidInputError, KinflowError, PhotoError
from kinflow.formats import read_motion
from kinflow.formats.amass import read_amass
from kinflow.mocap import read_amc, read_bvh
from kinflow.perception import photos
from kinflow.perception.formats import read_observations, read_part_map, write_observations
from kinflow.perception.photos import read_photo, write_upright
from kinflow.records import Camera, FitResult, Observation
from kinflow.tensorfile import read_tensors, write_tensors

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
READERS = {
    "photo": (read_photo, "x.jpg"),
    "part map": (read_part_map, "x.png"),
    "keypoints": (read_observations, "x.json"),
    "bvh": (read_bvh, "x.bvh"),
    "bvh.gz": (read_bvh, "x.bvh.gz"),
    "amass": (read_amass, "x.npz"),
    "motion": (read_motion, "x.npz"),
    "tensors": (read_tensors, "x.safetensors"),
    "body": (read_smpl, "x.pkl"),
    "fit": (FitResult.load, "x.npz"),
}
every_reader = pytest.mark.parametrize(("read", "name"), READERS.values(), ids=READERS)


# -- names and kinds of files ------------------------------------------------------------------


@posix
@every_reader
def test_a_pipe_is_refused_at_once(tmp_path, read, name):
    os.mkfifo(tmp_path / name)
    code = (
        "import sys; from kinflow.errors import KinflowError\n"
        f"from {read.__module__} import {read.__qualname__.split('.')[0]}\n"
        f"try: {read.__qualname__}(sys.argv[1])\nexcept KinflowError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / name)],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert "pipe" in done.stdout, done.stderr[-500:]


@every_reader
def test_what_cannot_be_opened_is_a_sentence(tmp_path, read, name):
    for path in (tmp_path / "none" / name, tmp_path / ("n" * 300 + name), f"{tmp_path}/\0{name}"):
        with pytest.raises(KinflowError) as caught:
            read(path)
        assert caught.value.hint
    with pytest.raises(KinflowError, match="folder"):
        (tmp_path / name).mkdir()
        read(tmp_path / name)


@posix
@every_reader
def test_a_file_of_somebody_else_is_a_sentence(tmp_path, read, name):
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / name).chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(KinflowError, match="may not be read"):
            read(tmp_path / name)
    finally:
        if root:
            os.seteuid(0)


@posix
@every_reader
def test_names_that_are_no_text_are_read_and_can_be_told(tmp_path, read, name):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe " + name.encode())
    with open(path, "wb") as stream:
        stream.write(b"junk")
    with pytest.raises(KinflowError) as caught:
        read(path)
    str(caught.value).encode("utf-8")
    json.dumps(caught.value.message, ensure_ascii=False).encode("utf-8")


def test_no_room_to_write_is_a_sentence_and_leaves_nothing(tmp_path):
    target = tmp_path / "folder-in-the-way"
    target.mkdir()
    person = Observation(np.zeros((17, 2)), np.ones(17))
    with pytest.raises(KinflowError, match="cannot be written"):
        write_observations(target, [person])
    with pytest.raises(KinflowError, match="cannot be written"):
        write_tensors(tmp_path / "none" / "x.safetensors", {}, {})
    assert list(tmp_path.iterdir()) == [target] and not list(target.iterdir())


# -- photos ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "brand"), [("HEIC", b"heic"), ("AVIF", b"avif")])
def test_heic_and_avif_without_their_reader_name_the_extra(tmp_path, monkeypatch, kind, brand):
    monkeypatch.setattr(photos, "_known", lambda name: name not in ("AVIF", "HEIF"))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "p.jpg").write_bytes(struct.pack(">I", 24) + b"ftyp" + brand + b"\0" * 500)
    with pytest.raises(PhotoError, match=rf"{kind}.*kinflow\[heif\]"):
        read_photo(tmp_path / "p.jpg")


def test_avif_is_read_where_pillow_knows_it_and_copied_for_blender(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "p.avif")
    photo = read_photo(tmp_path / "p.avif")
    assert photo.rgb.shape == PIXELS.shape
    copy = write_upright(photo, tmp_path / "cache")
    assert Image.open(copy).format == "PNG"


def test_postscript_in_the_guise_of_a_photo_starts_no_ghostscript(tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    Image.fromarray(PIXELS).save(tmp_path / "p.eps")
    (tmp_path / "p.eps").rename(tmp_path / "p.jpg")
    with pytest.raises(PhotoError):
        read_photo(tmp_path / "p.jpg")
    assert not marker.exists()


def test_a_photo_that_unpacks_to_too_much_says_how_to_allow_it(tmp_path, monkeypatch):
    Image.fromarray(np.zeros((700, 700, 3), np.uint8)).save(tmp_path / "p.png")
    monkeypatch.setattr(photos, "MAX_MB", 1)
    with pytest.raises(PhotoError, match="KINFLOW_MAX_MB"):
        read_photo(tmp_path / "p.png")
    monkeypatch.setenv("KINFLOW_MAX_MB", "2")
    read_photo(tmp_path / "p.png")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_exif_does_not_cost_the_photo(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 50
    raw = exif.tobytes()
    for place in range(8, len(raw)):
        damaged = raw[:place] + b"\xff\xff" + raw[place + 2 :]
        Image.fromarray(PIXELS).save(tmp_path / "p.jpg", exif=damaged)
        try:
            read_photo(tmp_path / "p.jpg")
        except PhotoError as error:
            assert error.hint


def turned_photo(path, focal=70):
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = focal
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(PIXELS).save(path, exif=exif)
    return read_photo(path)


def test_upright_copies_of_photos_of_one_name_do_not_overwrite_each_other(tmp_path):
    shown = [
        write_upright(turned_photo(tmp_path / folder / name), tmp_path / "cache")
        for folder in ("a", "b")
        for name in ("p.jpg", "p.png", "p, 2.jpg")
    ]
    assert len(set(shown)) == 6
    again = write_upright(turned_photo(tmp_path / "a" / "p.jpg"), tmp_path / "cache")
    assert again == shown[0]
    assert len(list((tmp_path / "cache").iterdir())) == 6


def test_the_focal_length_survives_a_second_look_at_the_upright_copy(tmp_path):
    photo = turned_photo(tmp_path / "a" / "p.jpg")
    copy = read_photo(write_upright(photo, tmp_path / "cache"))
    assert not copy.turned and np.array_equal(copy.rgb, photo.rgb)
    assert copy.camera == photo.camera
    assert photo.camera != Camera.guess(photo.camera.width, photo.camera.height)


# -- motion ------------------------------------------------------------------------------------


def test_a_bvh_that_unpacks_to_gigabytes_is_refused_before_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr("kinflow.mocap.bvh.MAX_MB", 8)
    with gzip.open(tmp_path / "b.bvh.gz", "wb", 1) as stream:
        for _ in range(64):
            stream.write(b"\n" * 1_000_000)
    with pytest.raises(AssetError, match=r"8 MB.*KINFLOW_MAX_MB"):
        read_bvh(tmp_path / "b.bvh.gz")


@pytest.mark.parametrize("place", [3, 12, 40, -9, -5])
def test_damaged_gzip_is_a_sentence(tmp_path, place):
    write_bvh(tmp_path / "c.bvh", np.zeros((9, 69)))
    raw = bytearray(gzip.compress((tmp_path / "c.bvh").read_bytes()))
    raw[place] ^= 0xFF
    (tmp_path / "c.bvh.gz").write_bytes(raw)
    with pytest.raises(AssetError, match="gzip"):
        read_bvh(tmp_path / "c.bvh.gz")


def test_frames_and_nesting_are_bounded_before_they_are_built(tmp_path):
    write_bvh(tmp_path / "c.bvh", np.zeros((1, 69)))
    text = (tmp_path / "c.bvh").read_text()
    chain = "".join(f"JOINT j{i}\n{{\n" for i in range(900))
    cases = {
        "frame count": text.replace("Frames: 1", "Frames: 2000000"),
        "more than 1024 MB": text.replace("Frames: 1", "Frames: 900000"),
        "too many joints": text.replace("ROOT Hips\n{\n", f"ROOT Hips\n{{\n{chain}", 1),
        "twice": text.replace("Zrotation Yrotation", "Zrotation Zrotation", 1),
        "does not end": text.replace("0.000000", "0.000000" + " " * (1 << 20), 1),
        "offset": text.replace("OFFSET 0 1 0", "OFFSET 0 1 inf", 1),
    }
    for why, case in cases.items():
        (tmp_path / "b.bvh").write_text(case)
        with pytest.raises(AssetError, match=why):
            read_bvh(tmp_path / "b.bvh")


def test_angles_of_many_turns_stay_rotations(tmp_path):
    frames = np.zeros((1, 69))
    frames[0, 5] = 1e300
    write_bvh(tmp_path / "c.bvh", frames)
    clip = read_bvh(tmp_path / "c.bvh")
    assert np.allclose(clip.global_orient @ clip.global_orient.swapaxes(1, 2), np.eye(3))


@pytest.mark.parametrize(
    "damage",
    [
        ("dof rx ry rz", "dof l"),
        ("dof rx ry rz", "dof rx rx"),
        ("dof rx ry rz", "dof tx"),
        ("direction 0.34 -0.94 0", "direction 0 0 0"),
        ("direction 0.34 -0.94 0", "direction nan 1 1"),
        ("axis 0 0 20 XYZ", "axis 0 0 20 " + "X" * 999),
        ("    lfemur ltibia\n", "    ltibia lfemur\n"),
        ("    lfemur ltibia\n", "    lfemur lfemur\n"),
        ("    lfemur ltibia\n", "    nobody ltibia\n"),
        ("    lfemur ltibia\n", "    lfemur nobody\n"),
    ],
)
def test_a_skeleton_that_makes_no_sense_is_a_sentence(tmp_path, damage):
    (tmp_path / "s.asf").write_text(ASF.replace(*damage, 1))
    (tmp_path / "m.amc").write_text("1\nroot 0 0 0 0 0 0\n")
    with pytest.raises(AssetError, match=r"s\.asf"):
        read_amc(tmp_path / "m.amc", tmp_path / "s.asf")


@pytest.mark.parametrize(
    "text",
    [
        "1\nroot 0 0 0 0 0 inf\n",
        "1\nroot 0 0 0 0 0 0\nroot 0 0 0 0 0 0\n",
        "1\n2\nroot 0 0 0 0 0 0",
    ],
)
def test_motion_that_makes_no_sense_is_a_sentence(tmp_path, text):
    (tmp_path / "s.asf").write_text(ASF)
    (tmp_path / "m.amc").write_text(text)
    with pytest.raises(AssetError, match=r"m\.amc"):
        read_amc(tmp_path / "m.amc", tmp_path / "s.asf")


def test_a_bone_that_points_the_other_way_turns_half_way_round(tmp_path):
    (tmp_path / "s.asf").write_text(
        ASF.replace("direction 1 0 0\n     length 1\n", "direction -1 0 0\n     length 1\n", 1)
    )
    (tmp_path / "m.amc").write_text("1\nroot 0 0 0 0 0 0\n")
    clip = read_amc(tmp_path / "m.amc", tmp_path / "s.asf")
    product = clip.body_pose @ clip.body_pose.swapaxes(-1, -2)
    assert np.allclose(product, np.eye(3))


@pytest.mark.parametrize(
    "field",
    [
        {"poses": np.array([["a"] * 70])},
        {"poses": np.full((2, 66), 1e300)},
        {"poses": np.zeros((2, 66), complex)},
        {"mocap_framerate": np.array([1.0, 2.0])},
        {"mocap_framerate": np.array(np.nan)},
        {"trans": np.zeros((2, 3), object)},
        {"trans": np.zeros((5, 3))},
    ],
)
def test_amass_fields_of_a_wrong_kind_are_a_sentence(tmp_path, field):
    if "trans" in field and field["trans"].dtype == object:
        np.savez(tmp_path / "a.npz", **({"poses": np.zeros((2, 66))} | field))
        assert len(read_amass(tmp_path / "a.npz")) == 2, "objects are left unread"
        return
    np.savez(tmp_path / "a.npz", **({"poses": np.zeros((2, 66))} | field))
    with pytest.raises(AssetError, match=next(iter(field))):
        read_amass(tmp_path / "a.npz")


# -- keypoint files ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "9" * 5000,
        "[" * 200_000,
        '{"people": [{"pose_keypoints_2d": [' + "1" + "0" * 400 + ", 1" * 74 + "]}]}",
        json.dumps([{"keypoints": [[0, 0]] * 17, "confidence": [0] * 17, "photo": 1e400}]),
        '{"annotations": [{"image_id": 1, "keypoints": [' + ",".join(["1e300"] * 51) + "]}]}",
        '{"annotations": [{"image_id": 1, "keypoints": ['
        + ",".join(["1"] * 51)
        + '], "bbox": [1]}]}',
    ],
)
def test_numbers_without_measure_are_a_sentence(tmp_path, text):
    (tmp_path / "k.json").write_text(text)
    with pytest.raises(InvalidInputError) as caught:
        read_observations(tmp_path / "k.json")
    assert caught.value.hint


def test_json_that_would_fill_the_memory_is_refused_before_it_is_parsed(tmp_path):
    (tmp_path / "k.json").write_text("[" + "[]," * 20_000_000 + "[]]")
    with pytest.raises(InvalidInputError, match=r"2048 MB.*KINFLOW_MAX_MB"):
        read_observations(tmp_path / "k.json")
