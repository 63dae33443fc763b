"""A .glb draws the engine's mesh, as any reader of glTF sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygltflib
from motions import BODY, METRES, moving
from scipy.spatial.transform import Rotation

from kinflow.core.skeleton import JOINT_NAMES
from kinflow.formats import Motion
from kinflow.formats.gltf import write_glb
from kinflow.formats.posed import posed_mesh


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
