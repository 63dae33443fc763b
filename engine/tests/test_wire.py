import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from kinflow.errors import KinflowError, ProtocolError
from kinflow.records import Camera, Observation
from kinflow.wire import FrameReader, pack

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5).filter(lambda k: not k.startswith("$")), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (np.isnan(a) and np.isnan(b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5).filter(lambda k: not k.startswith("$")), plain, max_size=4),
    st.integers(1, 50),
)
def test_messages_arrive_as_sent_however_the_stream_is_cut(message, size):
    frame = pack(message)
    reader, got = FrameReader(), []
    for i in range(0, len(frame), size):
        got += reader.feed(frame[i : i + size])
    assert len(got) == 1 and same(got[0], message)


@settings(max_examples=60, deadline=None)
@given(
    npst.arrays(
        st.sampled_from([np.float32, np.float64, np.uint8, np.int64, np.bool_]),
        npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
def test_arrays_arrive_as_sent(array):
    got = FrameReader().feed(pack({"a": array}))[0]["a"]
    assert (
        got.dtype == array.dtype and got.shape == array.shape and got.tobytes() == array.tobytes()
    )


def test_records_arrive_as_sent():
    o = Observation(
        np.arange(34).reshape(17, 2),
        np.ones(17),
        camera=Camera(5, 5, 1, 1, 8, 6),
        mask=np.eye(6, 8, dtype=bool),
    )
    got = FrameReader().feed(pack({"o": [o]}))[0]["o"][0]
    assert (
        isinstance(got, Observation) and got.camera == o.camera and np.array_equal(got.mask, o.mask)
    )


@settings(max_examples=20_000, deadline=None)
@given(st.binary(max_size=120))
def test_no_bytes_do_more_than_a_protocol_error(junk):
    try:
        FrameReader().feed(junk)
    except KinflowError:
        pass


@settings(max_examples=2000, deadline=None)
@given(st.binary(max_size=12), st.integers(0, 400), st.booleans())
def test_damaged_frames_do_more_than_a_typed_error_never(junk, place, cut):
    o = Observation(np.zeros((17, 2)), np.ones(17), camera=Camera(5, 5, 1, 1, 8, 6))
    frame = pack({"id": 1, "method": "fit", "params": {"observations": [o]}})
    broken = frame[:place] + junk + (b"" if cut else frame[place + len(junk) :])
    try:
        FrameReader().feed(broken)
    except KinflowError:
        pass


def test_claims_are_refused_before_anything_is_allocated():
    huge = b'{"body":{"a":{"$array":0}},"arrays":[{"dtype":"float64","shape":[1000000,1000000]}]}'
    for frame in (struct.pack("<I", 2**31), struct.pack("<I", len(huge)) + huge):
        with pytest.raises(ProtocolError):
            FrameReader().feed(frame)


def test_objects_that_are_no_data_cannot_be_sent():
    with pytest.raises(ProtocolError):
        pack({"a": object()})
    with pytest.raises(ProtocolError):
        pack({"a": np.array([object()])})
