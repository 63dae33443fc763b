"""Files of exactly the official layouts, written here, because no official one may be had."""

import pickle
import sys
import types

import numpy as np
import pytest
import torch

from kinflow import load_body
from kinflow.errors import AssetError, UnsafeFileError


def fields(joints: int = 24, count: int = 300, betas: int = 10) -> dict[str, np.ndarray]:
    r = np.random.default_rng(0)
    weights = r.random((count, joints)) ** 8
    regressor = r.random((joints, count)) ** 20
    return {
        "v_template": r.normal(size=(count, 3)),
        "f": r.integers(0, count, (500, 3)).astype(np.uint32),
        "shapedirs": 0.01 * r.normal(size=(count, 3, betas)),
        "posedirs": 0.001 * r.normal(size=(count, 3, 9 * (joints - 1))),
        "weights": weights / weights.sum(1, keepdims=True),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "kintree_table": np.zeros((2, joints), np.int64),
    }


def chumpy_pickle(path, data):
    """A pickle as SMPL 1.0's: chumpy arrays and a scipy sparse regressor inside."""
    scipy_sparse = pytest.importorskip("scipy.sparse")
    chumpy, ch = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x):
            self.x = x

        def __getstate__(self):
            return {"x": self.x, "_dirty_vars": set()}

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    ch.Ch = Ch
    sys.modules |= {"chumpy": chumpy, "chumpy.ch": ch}
    try:
        stored = data | {
            "shapedirs": Ch(data["shapedirs"]),
            "v_template": Ch(data["v_template"]),
            "J_regressor": scipy_sparse.csc_matrix(data["J_regressor"]),
            "bs_type": "lrotmin",
        }
        path.write_bytes(pickle.dumps(stored, protocol=2))
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]


def test_official_pickle_with_chumpy_inside_is_read_without_chumpy(tmp_path):
    data = fields()
    path = tmp_path / "basicModel_m.pkl"
    chumpy_pickle(path, data)
    body = load_body(path)
    assert "chumpy" not in sys.modules
    assert np.allclose(body.v_template.numpy(), data["v_template"], atol=1e-6)
    assert np.allclose(body.J_regressor.numpy(), data["J_regressor"], atol=1e-6)
    assert np.allclose(body.posedirs.numpy(), data["posedirs"].reshape(-1, 207).T, atol=1e-7)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol_are_read(tmp_path, protocol):
    data = fields()
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(data | {"bs_type": "lrotmin", "more": {1, 2}}, protocol))
    body = load_body(path)
    assert np.allclose(body.v_template.numpy(), data["v_template"], atol=1e-6)
    assert np.array_equal(body.faces.numpy(), data["f"])


def test_objects_that_official_npz_files_carry_beside_the_body_are_left_unread(tmp_path):
    data = fields(55, betas=400)
    extra = {"joint2num": np.array({"Pelvis": 0}, object), "allow": np.array([{}, None], object)}
    np.savez(tmp_path / "SMPLX_NEUTRAL.npz", **extra, **data)
    body = load_body(tmp_path / "SMPLX_NEUTRAL.npz")
    assert np.allclose(body.v_template.numpy(), data["v_template"], atol=1e-6)
    np.savez(tmp_path / "o.npz", **(data | {"weights": data["weights"].astype(object)}))
    with pytest.raises(AssetError, match=r"'weights'.*objects"):
        load_body(tmp_path / "o.npz")


@pytest.mark.parametrize("joints", [24, 52, 55])
def test_npz_of_smpl_smplh_and_smplx_keep_the_body(tmp_path, joints):
    data = fields(joints, betas=16)
    np.savez(tmp_path / "m.npz", **data)
    body = load_body(tmp_path / "m.npz")
    assert body.J_regressor.shape[0] == 24
    assert np.allclose(body.lbs_weights.sum(1).numpy(), 1, atol=1e-5), (
        "fingers and face went to hands and head"
    )
    pose = torch.zeros(1, 23, 3)
    vertices, _ = body(body_pose=pose)
    assert np.allclose(vertices[0].numpy(), data["v_template"], atol=1e-5)


def test_a_pickle_that_runs_something_is_refused_and_runs_nothing(tmp_path):
    marker = tmp_path / "ran"

    class Exploit:
        def __reduce__(self):
            import os

            return os.system, (f"touch {marker}",)

    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps(fields() | {"v_template": Exploit()}))
    with pytest.raises(UnsafeFileError, match="system"):
        load_body(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "payload",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"ccopyreg\n_reconstructor\n(cos\nsystem\nc__builtin__\nobject\nNtR.",
    ],
)
def test_other_gadgets_are_refused(tmp_path, payload):
    path = tmp_path / "evil.pkl"
    path.write_bytes(payload)
    with pytest.raises(UnsafeFileError):
        load_body(path)


@pytest.mark.parametrize(
    "name", ["v_template", "shapedirs", "posedirs", "weights", "J_regressor", "f"]
)
def test_wrong_fields_are_named(tmp_path, name):
    data = fields()
    for change in ("missing", "shape", "nan"):
        broken = dict(data)
        if change == "missing":
            del broken[name]
        elif change == "shape":
            broken[name] = broken[name][:-1]
            if name == "f":
                continue
        else:
            if name == "f":
                continue
            broken[name] = np.full_like(broken[name], np.nan)
        np.savez(tmp_path / "b.npz", **broken)
        with pytest.raises(AssetError, match="field"):
            load_body(tmp_path / "b.npz")


def test_truncated_files_are_typed_errors(tmp_path):
    np.savez(tmp_path / "m.npz", **fields())
    raw = (tmp_path / "m.npz").read_bytes()
    pickled = pickle.dumps(fields())
    for keep in (0, 1, 10, len(raw) // 2, len(raw) - 10):
        (tmp_path / "t.npz").write_bytes(raw[:keep])
        (tmp_path / "t.pkl").write_bytes(pickled[: min(keep, len(pickled) - 10)])
        for path in (tmp_path / "t.npz", tmp_path / "t.pkl"):
            with pytest.raises(AssetError):
                load_body(path)


def test_a_missing_file_says_where_its_owner_offers_it(tmp_path):
    with pytest.raises(AssetError, match=r"smpl-x\.is\.tue\.mpg\.de.*licence"):
        load_body(tmp_path / "SMPLX_NEUTRAL.npz")
