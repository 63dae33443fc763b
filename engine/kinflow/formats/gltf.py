"""glTF 2.0, binary (.glb): the body's mesh, skinned to SMPL's 24 joints and animated."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._version import __version__
from ..bodies.arrays import BodyArrays, vertex_normals
from ..core.arrays import numpy_namespace as xp
from ..core.rotations import continuous, matrix_to_quaternion
from ..core.skeleton import JOINT_NAMES, NUM_JOINTS, PARENTS
from ..records import NumpyArray
from ..userfiles import replacing
from .motion import Motion

MOST_CORRECTIVES = 64  # a body with more of them (SMPL's 207 dense ones) goes without
_SKIN_COLOUR = [0.8, 0.62, 0.52, 1.0]
_VERTICES, _INDICES = 34962, 34963  # ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER
_KINDS = {"uint8": 5121, "uint32": 5125, "float32": 5126}
_SHAPES = {(): "SCALAR", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}


def write_glb(path: str | os.PathLike[str], motion: Motion, body: BodyArrays) -> None:
    """Writes a .glb: metres, Y up, at rest the T-pose facing +Z, as glTF wants it.

    The mesh has the body's vertices in their order and the shape of motion.betas; joints have
    SMPL's names; each frame is a key, between which rotations go straight. Pose correctives are
    morph targets with weights in every key, so that the mesh is the engine's; who turns a bone
    later has to set them too. A body with more than MOST_CORRECTIVES of them (SMPL's) is written
    without, and its skin bends as plain linear blend skinning does. Fingers are left out.

    Raises AssetError where the file cannot be written.

    >>> import numpy as np, tempfile
    >>> from kinflow.bodies.files import load_body_arrays
    >>> still = Motion(np.zeros((60, 3)), np.zeros((60, 69)), np.zeros((60, 3)))
    >>> write_glb(tempfile.mkdtemp() + "/still.glb", still, load_body_arrays())
    """
    gltf = _Glb(body)
    gltf.add_body(motion.betas)
    gltf.add_motion(motion.with_up("y", body.joints(motion.betas)[0]))
    with replacing(path) as temporary:
        temporary.write_bytes(gltf.packed())


@dataclass(frozen=True)
class _Target:
    """A morph target: `factor` times the body's corrective of this number, weighted with the
    corrective's feature over the factor, or 0 where that is negative.

    A feature goes from -1 to 1, or from -2 to 0 on a rotation's diagonal. Blender, as it animates,
    and other programs keep weights between 0 and 1.
    """

    number: int
    factor: float

    def weights(self, features: NumpyArray) -> NumpyArray:
        """features (T, K) -> (T,)."""
        return np.maximum(features[:, self.number] / self.factor, 0.0)


def _targets(body: BodyArrays) -> list[_Target]:
    """None at all where the body has too many correctives."""
    if len(body.features) > MOST_CORRECTIVES:
        return []
    result = []
    for number, (_, row, column) in enumerate(body.features):
        factors = (-2.0,) if row == column else (1.0, -1.0)
        result += [_Target(number, factor) for factor in factors]
    return result


class _Glb:
    """A glTF document and its one buffer, as they grow. Node j is SMPL's joint j."""

    def __init__(self, body: BodyArrays) -> None:
        import pygltflib

        self.lib = pygltflib
        self.body, self.targets = body, _targets(body)
        generator = f"kinflow {__version__}"
        self.document = pygltflib.GLTF2(asset=pygltflib.Asset(generator=generator))
        self.pieces: list[bytes] = []
        self.size = 0

    def _view(self, array: NumpyArray, target: int | None = None) -> int:
        """Puts an array's bytes into the buffer, aligned to four. -> its buffer view."""
        raw = array.tobytes()
        views = self.document.bufferViews
        views.append(
            self.lib.BufferView(buffer=0, byteOffset=self.size, byteLength=len(raw), target=target)
        )
        padded = raw + b"\0" * (-len(raw) % 4)
        self.pieces.append(padded)
        self.size += len(padded)
        return len(views) - 1

    def _accessor(self, array: NumpyArray, view: int | None, bounds: bool) -> Any:
        extremes: dict[str, Any] = {}
        if bounds:
            rows = array.reshape(len(array), -1)
            extremes = {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        return self.lib.Accessor(
            bufferView=view,
            byteOffset=None if view is None else 0,
            componentType=_KINDS[array.dtype.name],
            count=len(array),
            type=_SHAPES[array.shape[1:]],
            **extremes,
        )

    def add(self, array: NumpyArray, target: int | None = None, bounds: bool = False) -> int:
        """An accessor of an array. -> its index."""
        array = np.ascontiguousarray(array)
        accessors = self.document.accessors
        accessors.append(self._accessor(array, self._view(array, target), bounds))
        return len(accessors) - 1

    def add_sparse(self, array: NumpyArray) -> int:
        """An accessor of vectors (V, 3) most of which are 0. -> its index."""
        rows = np.flatnonzero(array.any(1))
        if not len(rows):
            rows = np.zeros(1, int)
        accessor = self._accessor(array, None, True)
        indices, values = self._view(rows.astype(np.uint32)), self._view(array[rows])
        accessor.sparse = self.lib.Sparse(
            count=len(rows),
            indices=self.lib.AccessorSparseIndices(
                bufferView=indices, componentType=_KINDS["uint32"]
            ),
            values=self.lib.AccessorSparseValues(bufferView=values),
        )
        self.document.accessors.append(accessor)
        return len(self.document.accessors) - 1

    def add_body(self, betas: NumpyArray) -> None:
        """The joints, the mesh of a shape, its skin, its look and the scene."""
        lib, document, body = self.lib, self.document, self.body
        vertices = (body.v_template + body.shapedirs @ betas).astype(np.float32)
        weights = body.weight_values / body.weight_values.sum(1, keepdims=True)
        weights = weights.astype(np.float32)
        held = np.where(weights > 0, body.weight_joints, 0).astype(np.uint8)
        attributes = lib.Attributes(
            POSITION=self.add(vertices, _VERTICES, bounds=True),
            NORMAL=self.add(vertex_normals(vertices, body.faces).astype(np.float32), _VERTICES),
            JOINTS_0=self.add(held, _VERTICES),
            WEIGHTS_0=self.add(weights, _VERTICES),
        )
        corners = self.add(body.faces.astype(np.uint32).reshape(-1), _INDICES)
        primitive = lib.Primitive(attributes=attributes, indices=corners, material=0)
        mesh = lib.Mesh(primitives=[primitive], name=body.name or "body")
        if self.targets:
            offsets = [np.float32(t.factor) * body.offsets[t.number] for t in self.targets]
            places = [self.add_sparse(offset.astype(np.float32)) for offset in offsets]
            primitive.targets = [lib.Attributes(POSITION=place) for place in places]
            mesh.extras = {"targetNames": [_target_name(body, t) for t in self.targets]}
        document.meshes.append(mesh)
        look = lib.PbrMetallicRoughness(
            baseColorFactor=_SKIN_COLOUR, metallicFactor=0.0, roughnessFactor=0.7
        )
        document.materials.append(lib.Material(pbrMetallicRoughness=look, name="skin"))
        self._add_joints(body.joints(betas))

    def _add_joints(self, rest: NumpyArray) -> None:
        lib, document = self.lib, self.document
        for joint, name in enumerate(JOINT_NAMES):
            above = rest[PARENTS[joint]] if joint else np.zeros(3)
            children = [child for child, parent in enumerate(PARENTS) if parent == joint]
            place = (rest[joint] - above).tolist()
            document.nodes.append(lib.Node(name=name, translation=place, children=children))
        document.nodes.append(lib.Node(name="body", mesh=0, skin=0))
        document.nodes.append(lib.Node(name="kinflow", children=[0]))
        inverse = np.tile(np.eye(4, dtype=np.float32), (NUM_JOINTS, 1, 1))
        inverse[:, 3, :3] = -rest  # glTF's matrices stand column by column
        bind = self.add(inverse)
        joints = list(range(NUM_JOINTS))
        document.skins.append(lib.Skin(inverseBindMatrices=bind, joints=joints, skeleton=0))
        document.scenes.append(lib.Scene(nodes=[NUM_JOINTS + 1, NUM_JOINTS]))
        document.scene = 0

    def add_motion(self, motion: Motion) -> None:
        """The first frame as the nodes' pose, and all frames as an animation."""
        rotations = motion.rotations()
        turns = continuous(xp, matrix_to_quaternion(xp, rotations))[..., [1, 2, 3, 0]]
        turns = turns.astype(np.float32)
        places = (motion.transl + self.body.joints(motion.betas)[0]).astype(np.float32)
        times = (np.arange(len(motion)) / motion.fps).astype(np.float32)
        when = self.add(times, bounds=True)
        animation = self.lib.Animation(name="motion")
        nodes = self.document.nodes
        for joint in range(NUM_JOINTS):
            nodes[joint].rotation = turns[0, joint].tolist()
            self._key(animation, when, turns[:, joint], (joint, "rotation"))
        nodes[0].translation = places[0].tolist()
        self._key(animation, when, places, (0, "translation"))
        if self.targets:
            joint, row, column = self.body.features.T
            features = rotations[:, joint, row, column] - (row == column)
            weights = np.stack([t.weights(features) for t in self.targets], 1).astype(np.float32)
            self.document.meshes[0].weights = weights[0].tolist()
            self._key(animation, when, weights.reshape(-1), (NUM_JOINTS, "weights"))
        self.document.animations.append(animation)

    def _key(self, animation: Any, when: int, values: NumpyArray, target: tuple[int, str]) -> None:
        lib = self.lib
        animation.samplers.append(lib.AnimationSampler(input=when, output=self.add(values)))
        place = lib.AnimationChannelTarget(node=target[0], path=target[1])
        number = len(animation.samplers) - 1
        animation.channels.append(lib.AnimationChannel(sampler=number, target=place))

    def packed(self) -> bytes:
        """The file."""
        self.document.buffers.append(self.lib.Buffer(byteLength=self.size))
        self.document.set_binary_blob(b"".join(self.pieces))
        return b"".join(self.document.save_to_bytes())


def _target_name(body: BodyArrays, target: _Target) -> str:
    joint, row, column = body.features[target.number]
    return f"{JOINT_NAMES[joint]} {row + 1}{column + 1} {'+' if target.factor > 0 else '-'}"
