"""Damaged motion."""

from __future__ import annotations

import gzip
from functools import lru_cache
from random import Random

import numpy as np

from .mutate import damage_bytes, damage_text, npz


@lru_cache
def _bvh() -> str:
    chain: tuple[str, ...] = (
        "Hips",
        "Spine",
        "Spine1",
        "Spine2",
        "Neck",
        "Head",
        "LeftShoulder",
        "LeftArm",
    )
    chain += ("LeftForeArm", "LeftHand", "LeftUpLeg", "LeftLeg")
    head = "".join(
        f"{'JOINT' if i else 'ROOT'} {name}\n{{\nOFFSET 0 1 0\nCHANNELS "
        + ("3 " if i else "6 Xposition Yposition Zposition ")
        + "Zrotation Yrotation Xrotation\n"
        for i, name in enumerate(chain)
    )
    tail = "End Site\n{\nOFFSET 0 1 0\n}\n" + "}\n" * len(chain)
    row = " ".join(["1.5"] * (3 + 3 * len(chain)))
    frames = "\n".join([row] * 3)
    return f"HIERARCHY\n{head}{tail}MOTION\nFrames: 3\nFrame Time: 0.0333\n{frames}\n"


def make_bvh(rng: Random) -> dict[str, bytes]:
    """A .bvh, or one compressed, with damaged text or bytes."""
    raw = damage_text(rng, _bvh()).encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        raw = damage_bytes(rng, raw)
    if rng.random() < 0.4:
        return {"x.bvh": raw}
    if rng.random() < 0.05:
        raw = raw + b"\n" * 20_000_000
    packed = gzip.compress(raw, 1, mtime=0)
    return {"x.bvh.gz": damage_bytes(rng, packed) if rng.random() < 0.5 else packed}


@lru_cache
def _asf() -> str:
    tree = {"root": ["lfemur", "rfemur", "lowerback"], "lfemur": ["ltibia"], "ltibia": ["lfoot"]}
    tree |= {"rfemur": ["rtibia"], "rtibia": ["rfoot"], "lowerback": ["upperback"]}
    tree |= {"upperback": ["thorax"], "thorax": ["lhumerus", "rhumerus"]}
    names = [name for children in tree.values() for name in children]
    bones = "".join(
        f"begin\nid {i}\nname {name}\ndirection 0.3 -0.9 0.1\nlength 1\naxis 0 0 20 XYZ\n"
        f"dof rx ry rz\nlimits (-160 20)\nend\n"
        for i, name in enumerate(names, 1)
    )
    links = "".join(f"{parent} {' '.join(children)}\n" for parent, children in tree.items())
    return f":version 1.10\n:bonedata\n{bones}:hierarchy\nbegin\n{links}end\n"


@lru_cache
def _amc() -> str:
    rows = "root 0 10 0 0 90 0\nlfemur 1 2 3\nltibia 30 1 1\nthorax 1 1 1\n"
    return ":FULLY-SPECIFIED\n:DEGREES\n" + "".join(f"{i}\n{rows}" for i in range(1, 4))


def make_amc(rng: Random) -> dict[str, bytes]:
    """A skeleton and its motion."""
    asf = damage_text(rng, _asf()) if rng.random() < 0.6 else _asf()
    amc = damage_text(rng, _amc()) if rng.random() < 0.6 else _amc()
    return {"x.asf": asf.encode(), "x.amc": amc.encode()}


def make_amass(rng: Random) -> dict[str, bytes]:
    """An AMASS .npz."""
    arrays = {
        "poses": np.ones((3, 156)),
        "trans": np.zeros((3, 3)),
        "mocap_framerate": np.array(60.0),
        "gender": np.array("neutral"),
    }
    return {"x.npz": npz(rng, arrays, rng.randrange(1, 3))}


def make_motion(rng: Random) -> dict[str, bytes]:
    """A motion in one of the kinds of .npz that are told from their names, or a .bvh."""
    kinds = (
        {"global_orient": np.ones((3, 3)), "body_pose": np.ones((3, 69)), "up": np.array("y")},
        {"global_orient": np.ones((3, 3)), "body_pose": np.ones((3, 63)), "betas": np.ones(10)},
        {
            "pred_smpl_params/body_pose": np.tile(np.eye(3), (3, 23, 1, 1)),
            "pred_cam_t": np.ones((3, 3)),
        },
        {"pose_world": np.ones((3, 72)), "trans_world": np.ones((3, 3)), "betas": np.ones((3, 10))},
        {"poses": np.ones((3, 165)), "trans": np.ones((3, 3)), "gender": np.array("male")},
    )
    kind = rng.randrange(len(kinds) + 1)
    if kind == len(kinds):
        return {"x.bvh": damage_text(rng, _bvh()).encode("utf-8", "surrogatepass")}
    return {"x.npz": npz(rng, dict(kinds[kind]), rng.randrange(1, 3))}
