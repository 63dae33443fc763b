import contextlib
import importlib.util
import json
import struct
import threading
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from kinflow.client.values import DTYPES, without_mesh
from kinflow.client.wire import LIMITS, PIECE_ARRAYS, FrameReader, Limits, pack
from kinflow.errors import ProtocolError
from kinflow.records import Camera, FitResult, Hypothesis, Observation, PriorId

CAMERA = Camera(500.0, 500.0, 4.0, 3.0, 8, 6)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64) + 1, 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
arrays = npst.arrays(
    st.sampled_from([*DTYPES, ">f4", ">u2"]),
    npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)


def read(frames: list[bytes], limits: Limits = LIMITS) -> list[dict]:
    return list(FrameReader(limits).feed(b"".join(frames)))


def framed(body: object, arrays: object = (), **more: object) -> bytes:
    """A frame whose header is whatever we say."""
    text = json.dumps({"body": body, "arrays": arrays} | more).encode()
    return struct.pack("<I", len(text)) + text


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype.name == b.dtype.name
            and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        )
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or (a != a and b != b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (Camera, Observation, FitResult, Hypothesis)):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return a == b


def result(vertices: int = 0, hypotheses: int = 2, **more: object) -> FitResult:
    """A fitted person of random numbers."""
    shapes = {"global_orient": 3, "body_pose": (23, 3), "betas": 10, "transl": 3, "z": 138}
    numbers = np.random.default_rng(0)
    arrays = {k: numbers.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    arrays["joints"] = numbers.normal(size=(24, 3)).astype(np.float32)
    minimum = Hypothesis(**arrays, energy=1.0, keypoint_error_px=2.0, log_prob=-3.0)
    return FitResult(
        **arrays,
        camera=CAMERA,
        vertices=np.ones((vertices, 3), np.float32),
        faces=np.zeros((2 * vertices, 3), np.int32),
        keypoint_error_px=2.0,
        part_iou=None,
        log_prob=-3.0,
        status="converged",
        timings={"fit_s": 0.1},
        hypotheses=(minimum,) * hypotheses,
        prior=PriorId("light", "0123"),
        **more,
    )


def observation() -> Observation:
    points = np.arange(34).reshape(17, 2)
    return Observation(points, np.ones(17), camera=CAMERA, mask=np.eye(6, 8, dtype=bool))


@settings(max_examples=100, deadline=None)
@example({"$array": 0, "$$record": {"$": "$list"}, "$float": {"$float": "nan"}}, 1)
@given(st.dictionaries(st.text(), plain, max_size=4), st.integers(1, 50))
def test_messages_arrive_as_sent_however_the_stream_is_cut(message, size):
    stream = b"".join(pack(message))
    reader, arrived = FrameReader(), []
    for i in range(0, len(stream), size):
        arrived += reader.feed(stream[i : i + size])
    assert len(arrived) == 1 and same(arrived[0], message)


@settings(max_examples=100, deadline=None)
@given(arrays)
def test_arrays_arrive_as_sent(array):
    assert same(read(pack({"a": array}))[0]["a"], array)


def test_records_arrive_as_sent():
    for record in (observation(), result(vertices=5), CAMERA):
        assert same(read(pack({"r": [record]}))[0]["r"][0], record)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(plain | arrays, max_size=6), max_size=30),
    st.integers(20, 3000),
    st.integers(0, 200),
    st.integers(1000, 40_000),
)
def test_what_is_packed_is_accepted_whatever_the_limits(items, header, raw, weight):
    limits = Limits(header, raw, weight)
    try:
        frames = pack({"value": items}, limits)
    except ProtocolError:
        return
    (arrived,) = read(frames, limits)
    assert same(arrived, {"value": items})


@pytest.mark.parametrize("array", [np.zeros((1,) * 9), np.zeros((0, 2**40)), np.zeros((2**32, 0))])
def test_arrays_that_the_reader_refuses_are_refused_when_packed(array):
    with pytest.raises(ProtocolError):
        pack({"a": array})


def test_a_thousand_people_with_hypotheses_go_through():
    people = [result() for _ in range(1000)]
    (arrived,) = read(pack({"id": 1, "kind": "result", "value": people}))
    assert same(arrived["value"], people)


def test_a_clip_of_nine_seconds_with_meshes_travels_in_pieces():
    frames = pack({"id": 1, "value": [result(vertices=13_524, photo=i) for i in range(270)]})
    assert len(frames) > 10 and max(map(len, frames)) < 2 * PIECE_ARRAYS
    (arrived,) = read(frames)
    assert [r.photo for r in arrived["value"]] == list(range(270))
    assert arrived["value"][-1].vertices.shape == (13_524, 3)


def test_a_hundred_thousand_names_of_photos_travel():
    names = [{"path": f"/photos/of/somebody/{i:06d}.jpg", "frame": None} for i in range(100_000)]
    assert same(read(pack({"value": {"sources": names}}))[0]["value"]["sources"], names)


def test_a_result_without_its_mesh_is_a_fiftieth_and_keeps_everything_else():
    whole = result(vertices=13_524)
    bare = without_mesh(whole)
    assert 50 * sum(map(len, pack({"r": bare}))) < sum(map(len, pack({"r": whole})))
    changed = [
        f.name for f in fields(whole) if not same(getattr(whole, f.name), getattr(bare, f.name))
    ]
    assert changed == ["vertices", "faces"]


@settings(max_examples=5000, deadline=None)
@given(st.binary(max_size=120))
def test_no_bytes_do_more_than_a_protocol_error(junk):
    with contextlib.suppress(ProtocolError):
        list(FrameReader().feed(junk))


def places(node: object, path: tuple = ()) -> list[tuple]:
    """Every place in a JSON tree."""
    inner = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    return [path, *(p for key, value in inner for p in places(value, (*path, key)))]


def replaced(node: object, path: tuple, value: object) -> object:
    if not path:
        return value
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy


_STREAM = pack({"id": 1, "params": {"o": [observation()], "last": result(hypotheses=1)}})[0]
_LENGTH = struct.unpack_from("<I", _STREAM)[0]
HEADER, RAW = json.loads(_STREAM[4 : 4 + _LENGTH]), _STREAM[4 + _LENGTH :]
special = st.sampled_from(["$array", "$list", "$float", "$record", "$", "Camera", "FitResult"])
junk_nodes = st.recursive(
    plain | special | st.integers() | st.just(10**400),
    lambda inner: st.dictionaries(special | st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=3000, deadline=None)
@given(st.sampled_from(places(HEADER)), junk_nodes)
def test_malformed_records_do_no_more_than_a_protocol_error(place, junk):
    header = replaced(HEADER, place, junk)
    text = json.dumps(header).encode()
    with contextlib.suppress(ProtocolError):
        for message in FrameReader().feed(struct.pack("<I", len(text)) + text + RAW):
            assert isinstance(message, dict)


@pytest.mark.parametrize(
    "body",
    [
        {"$record": []},
        {"$record": "Camera"},
        {"$record": "Engine"},
        {"a": {"$record": "Camera", "fx": -1, "fy": 1, "cx": 0, "cy": 0, "width": 1, "height": 1}},
        {"a": {"$array": 0}},
        {"a": {"$list": 0}},
        {"a": {"$float": 10**400}},
        {"a": 10**30},
        {"$b": 1},
        [],
        None,
    ],
)
def test_what_pack_never_writes_is_a_protocol_error(body):
    with pytest.raises(ProtocolError):
        list(FrameReader().feed(framed(body)))


def test_claims_are_refused_before_their_bytes_come():
    huge = framed({}, [{"dtype": "float64", "shape": [1_000_000, 1_000_000]}])
    bits = framed({}, [{"dtype": "bool", "shape": [2**31]}])
    for stream in (struct.pack("<I", 2**31), huge, bits):
        with pytest.raises(ProtocolError, match=r"at most|cannot be sent"):
            list(FrameReader().feed(stream))


def test_pieces_without_end_are_refused_when_the_message_is_too_heavy():
    piece = framed(list(range(1000)), list=0)
    reader = FrameReader(Limits(weight=100 * len(piece)))
    with pytest.raises(ProtocolError, match="at most"):
        for _ in range(1000):
            list(reader.feed(piece))


def test_messages_before_a_broken_frame_arrive_and_nothing_after_it():
    reader, arrived = FrameReader(), []
    good = pack({"id": 1})[0]
    with pytest.raises(ProtocolError):
        for message in reader.feed(good + b"\xff\xff\xff\xff" + good):
            arrived.append(message)
    assert arrived == [{"id": 1}]
    with pytest.raises(ProtocolError):
        list(reader.feed(good))


@pytest.mark.parametrize(
    "value",
    [object(), np.array([object()]), 1j, np.longdouble(1), 2**65, {1: 2}, b"bytes", {"x"}],
)
def test_what_is_no_data_cannot_be_sent(value):
    with pytest.raises(ProtocolError, match=r"sent|keys"):
        pack({"a": value})


def test_a_record_whose_field_is_of_another_type_cannot_be_sent():
    with pytest.raises(ProtocolError, match="status of a FitResult is a int"):
        pack({"a": replace(result(), status=3)})


def fuzzer():
    """engine/fuzz/wire.py, which is no part of the package."""
    path = Path(__file__).parents[1] / "fuzz" / "wire.py"
    spec = importlib.util.spec_from_file_location("fuzz_wire", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("count", [300, pytest.param(6000, marks=pytest.mark.slow)])
def test_damaged_frames_are_answered_or_end_the_connection_and_the_job(count, monkeypatch):
    case, deaths = fuzzer().case, []
    monkeypatch.setattr(threading, "excepthook", deaths.append)
    outcomes = {case(1, number)[0] for number in range(count)}
    assert not deaths and {"server: answered", "client: error", "client: value"} <= outcomes
