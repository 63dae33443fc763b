"""Damaged and hostile motion files get one plain sentence: never another exception, never a motion
that makes no sense."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kinflow.errors import AssetError, InvalidInputError, KinflowError
from kinflow.formats import Motion, read_motion, write_motion

quick = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = (
    *("poses", "trans", "betas", "mocap_framerate", "gender", "smpl_hands", "global_orient"),
    *("body_pose", "left_hand_pose", "transl", "fps", "up", "body", "pose_world", "trans_world"),
    *("pred_smpl_params/body_pose", "smpl_params.global_orient", "pred_cam_t", "header", "pose"),
)
numbers = st.floats(-4, 4) | st.floats() | st.sampled_from((1e300, -1e39, np.nan, np.inf))
shapes = st.sampled_from(
    (
        *((), (0,), (1,), (3,), (72,), (2, 3), (2, 63), (2, 69), (2, 72), (2, 156), (2, 165)),
        *((2, 1, 3, 3), (2, 23, 3, 3), (2, 24, 3), (1, 2, 69), (0, 69), (2, 0), (2, 16), (3, 3)),
    )
)
values = st.one_of(
    arrays.arrays(np.float64, shapes, elements=numbers, fill=st.sampled_from((0.0, 1.0))),
    arrays.arrays(np.float32, shapes, elements=st.floats(-4, 4, width=32), fill=st.just(0)),
    arrays.arrays(np.int64, shapes, elements=st.integers(-(2**62), 2**62), fill=st.just(0)),
    st.sampled_from(["y", "z", "-y", "male", "", "\ud800", "x" * 300]).map(np.array),
    st.sampled_from([b"female", b"\xff\xfe", b""]).map(np.array),
    st.just(np.array([{"a": 1}], object)),
)


def read_or_refuse(path) -> None:
    try:
        motion = read_motion(path)
    except KinflowError as error:
        assert error.message.endswith((".", "...")) and error.hint
        assert "\n" not in error.message
    else:
        rotations = motion.rotations()
        assert np.allclose(rotations @ rotations.swapaxes(-1, -2), np.eye(3), atol=1e-6)
        assert np.isfinite(motion.transl).all() and motion.seconds > 0


@quick
@given(st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=6))
def test_any_arrays_give_a_motion_or_a_sentence(tmp_path, fields):
    np.savez(tmp_path / "m.npz", **fields)
    read_or_refuse(tmp_path / "m.npz")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("written")
    random = np.random.default_rng(0)
    motion = Motion(*(random.normal(size=(2, width)) for width in (3, 69, 3)))
    files = {"smpl.npz": "smpl", "amass.npz": "amass", "m.bvh": "smpl"}
    for name, kind in files.items():
        write_motion(folder / name, motion, kind=kind)
    return {name: (folder / name).read_bytes() for name in files}


@quick
@given(
    st.sampled_from(["smpl.npz", "amass.npz", "m.bvh"]),
    st.floats(0, 1),
    st.binary(min_size=1, max_size=60),
    st.booleans(),
)
def test_no_bytes_break_a_reader_otherwise(tmp_path, written, name, place, junk, cut):
    raw = written[name]
    begin = int(place * len(raw))
    end = len(raw) if cut else begin + len(junk)
    (tmp_path / name).write_bytes(raw[:begin] + junk + raw[end:])
    read_or_refuse(tmp_path / name)


def header_only(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    """An array that announces a shape and holds nothing."""
    stream = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["poses", "body_pose", "pose_world"])
@pytest.mark.parametrize("shape", [(10**9, 72), (2**40, 2**40), (0, 2**62)])
def test_a_shape_without_its_numbers_is_refused_before_it_is_built(tmp_path, name, shape):
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr(f"{name}.npy", header_only(shape))
        archive.writestr("trans.npy", header_only((0, 3)))
    with pytest.raises(AssetError, match=name):
        read_motion(tmp_path / "m.npz")


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused_before_it_has(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("kinflow.formats.fields.MAX_MB", 1)
    np.savez_compressed(tmp_path / "m.npz", body_pose=np.zeros((2000, 69)))
    with pytest.raises(AssetError, match="KINFLOW_MAX_MB"):
        read_motion(tmp_path / "m.npz")


def test_more_frames_than_fit_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("kinflow.mocap.clip.MAX_FRAMES", 10)
    for fields in ({"body_pose": np.zeros((11, 69))}, {"poses": np.zeros((11, 72))}):
        np.savez(tmp_path / "m.npz", trans=np.zeros((11, 3)), **fields)
        with pytest.raises(AssetError, match="more than 10 frames"):
            read_motion(tmp_path / "m.npz")


def test_objects_and_text_of_other_fields_are_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    np.savez(
        tmp_path / "m.npz",
        body_pose=np.zeros((2, 69)),
        transl=np.array([Bomb()], object),
        gender=np.array([Bomb()], object),
        betas=np.array(["a"] * 10),
    )
    motion = read_motion(tmp_path / "m.npz")
    assert not motion.transl.any() and not motion.betas.any() and motion.gender == "neutral"


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ({"global_orient": np.zeros((3, 3))}, "global_orient"),
        ({"global_orient": np.tile(np.ones((3, 3)), (2, 1, 1))}, "no rotations"),
        ({"global_orient": np.full((2, 3), 1e6)}, "make no sense"),
        ({"transl": np.zeros((2, 2))}, "3 numbers"),
        ({"transl": np.full((2, 3), 1e9)}, "transl"),
        ({"betas": np.full(10, np.nan)}, "betas"),
        ({"fps": np.array(0.0)}, "frames a second"),
        ({"fps": np.array([1.0, 2.0])}, "frames a second"),
        ({"up": np.array("sideways")}, "up is 'sideways'"),
        ({"body_pose": np.zeros((2, 70))}, "63 or 69 numbers"),
        ({"body_pose": np.zeros((2, 5, 3, 3))}, "21 or 23 joints"),
        ({"left_hand_pose": np.full((2, 45), np.inf)}, "left_hand_pose"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path, field, why):
    np.savez(tmp_path / "m.npz", **{"body_pose": np.zeros((2, 69))} | field)
    with pytest.raises(AssetError, match=why) as caught:
        read_motion(tmp_path / "m.npz")
    assert "m.npz" in caught.value.message and caught.value.hint


def test_an_npz_of_something_else_says_what_is_missing(tmp_path):
    np.savez(tmp_path / "m.npz", vertices=np.zeros((5, 3)))
    with pytest.raises(AssetError, match="body_pose"):
        read_motion(tmp_path / "m.npz")


def test_a_bvh_of_a_place_beyond_measure_is_a_sentence(tmp_path, written):
    text = written["m.bvh"].decode()
    last = text.splitlines()[-1].split()
    moved = text.replace(" ".join(last), " ".join(["1e300", *last[1:]]))
    (tmp_path / "m.bvh").write_text(moved)
    with pytest.raises(InvalidInputError, match=r"m\.bvh.*make no sense"):
        read_motion(tmp_path / "m.bvh")
