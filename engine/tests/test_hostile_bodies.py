"""Body files that are made to harm, each read in a process of its own."""

from __future__ import annotations

import json
import pickle
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from systems import on_linux

from kinflow.bodies.smpl_files import read_smpl
from kinflow.errors import AssetError
from kinflow.tensorfile import read_tensors

pytestmark = on_linux
_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from kinflow.bodies.smpl_files import read_smpl
from kinflow.errors import AssetError
try:
    read_smpl(sys.argv[1])
except AssetError as error:
    print(error)
"""


def sentence_in_a_child(path) -> str:
    """What the reader says in a process of 2 GB; the test fails where that process dies."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
    assert done.stdout, "it was read"
    return done.stdout


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def blob(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


NDARRAY, DTYPE = b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"
OBJECTS = DTYPE + text("O") + b"\x85R"
BYTES_1 = DTYPE + text("u1") + b"\x85R"


def array_over(address: int) -> bytes:
    """numpy.ndarray((1,), dtype('O'), buffer=address as bytes)."""
    return (
        NDARRAY
        + b"("
        + b"K\x01\x85"
        + OBJECTS
        + blob(struct.pack("<Q", address) + b"\0" * 8)
        + b"tR"
    )


PROGRAMS = {
    "an address of the file's choice": b"\x80\x02cbuiltins\nfrozenset\n"
    + array_over(0x133713371330)
    + b"\x85R.",
    # b looks into a; a's state is set anew, which frees what b looks at
    "freed memory": b"\x80\x02}"
    + text("v_template")
    + b"cnumpy.core.multiarray\n_reconstruct\n"
    + NDARRAY
    + b"J"
    + struct.pack("<i", 1 << 26)
    + b"\x85"
    + BYTES_1
    + b"\x87Rq\x010"
    + NDARRAY
    + b"(J"
    + struct.pack("<i", 1 << 20)
    + b"K\x03\x86"
    + DTYPE
    + text("f8")
    + b"\x85Rh\x01tRq\x020"
    + b"h\x01(K\x01K\x00\x85"
    + BYTES_1
    + b"\x89"
    + blob(b"")
    + b"tb0h\x02s.",
    "8 GB of nothing": b"\x80\x02"
    + NDARRAY
    + b"J"
    + struct.pack("<i", 1 << 30)
    + b"\x85"
    + DTYPE
    + text("f8")
    + b"\x85R\x86R.",
    "a memo of 100 GB": b"\x80\x02N" + b"r" + struct.pack("<I", 0x7FFFFFFF) + b".",
    "a tuple nested a million times as a key": b"\x80\x02}N" + b"\x85" * 900_000 + b"Ns.",
    "a bytearray of a terabyte": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_no_pickle_ends_the_process_or_fills_the_memory(tmp_path, program):
    (tmp_path / "evil.pkl").write_bytes(program)
    said = sentence_in_a_child(tmp_path / "evil.pkl")
    assert "evil.pkl" in said and "Memory" not in said


def test_numpy_is_never_called_by_a_pickle():
    from kinflow.bodies.smpl_pickle import Call, load_inert

    value = load_inert(pickle.dumps({"a": np.zeros(3), "o": np.array([{}, 1], object)}, 2))
    assert {type(item) for item in value.values()} == {Call}


def test_a_pickle_that_runs_for_ever_ends(tmp_path):
    (tmp_path / "long.pkl").write_bytes(b"\x80\x02" + b"]0" * 600_000 + b"N.")
    with pytest.raises(AssetError, match="operations"):
        read_smpl(tmp_path / "long.pkl")


def write_npz(path, members: dict[str, bytes], method=zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)


def npy(header: str, data: bytes = b"") -> bytes:
    header = header.ljust(118 - 1) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def test_an_npz_that_unpacks_to_gigabytes_is_refused_with_the_way_to_allow_it(
    tmp_path, monkeypatch
):
    zeros = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (160000000,), }", b"")
    with (
        zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("v_template.npy", "w", force_zip64=True) as stream,
    ):
        stream.write(zeros)
        for _ in range(1280):
            stream.write(bytes(1_000_000))
    assert (tmp_path / "b.npz").stat().st_size < 2_000_000
    said = sentence_in_a_child(tmp_path / "b.npz")
    assert "1024 MB" in said and "KINFLOW_MAX_MB" in said
    small = {
        "v_template": npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", bytes(24))
    }
    write_npz(tmp_path / "s.npz", small)
    monkeypatch.setattr("kinflow.bodies.smpl_files.MAX_MB", 0)
    with pytest.raises(AssetError, match="0 MB"):
        read_smpl(tmp_path / "s.npz")
    monkeypatch.setenv("KINFLOW_MAX_MB", "1")
    with pytest.raises(AssetError, match="2 dimensions"):
        read_smpl(tmp_path / "s.npz")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999999999999), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000,), }",
        "{'descr': " + "(" * 100,
        "",
    ],
)
def test_a_header_that_lies_about_its_array_is_a_sentence(tmp_path, header):
    write_npz(tmp_path / "b.npz", {"v_template": npy(header, bytes(64))})
    assert "v_template" in sentence_in_a_child(tmp_path / "b.npz")


def write_safetensors(path, header, body: bytes = b"") -> None:
    raw = json.dumps(header).encode() if isinstance(header, dict) else header
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + body)


@pytest.mark.parametrize(
    "header",
    [
        {"__metadata__": 3},
        {"a": {"dtype": "F32", "shape": [float("inf")], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [1] * 70, "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [0, 1 << 70], "data_offsets": [0, 0]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, float("inf")]}},
        {"a": {"dtype": "F32", "shape": "22", "data_offsets": [0, 8]}},
        b"[" * 100_000,
        b"[1]",
        b'{"__metadata__": {"x": ' + b"9" * 5000 + b"}}",
    ],
)
def test_a_safetensors_header_that_makes_no_sense_is_a_sentence(tmp_path, header):
    write_safetensors(tmp_path / "x.safetensors", header, bytes(16))
    with pytest.raises(AssetError, match="damaged"):
        read_tensors(tmp_path / "x.safetensors")


def test_one_buffer_is_not_handed_out_ten_thousand_times(tmp_path):
    entry = {"dtype": "F32", "shape": [1000], "data_offsets": [0, 4000]}
    write_safetensors(
        tmp_path / "x.safetensors", {f"t{i}": entry for i in range(10_000)}, bytes(4000)
    )
    with pytest.raises(AssetError, match="same bytes"):
        read_tensors(tmp_path / "x.safetensors")
