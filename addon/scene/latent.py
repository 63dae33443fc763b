"""The latent properties of a body: the truth of its pose, in sigmas along the prior's axes.

They mean something only under the prior that made them, whose checksum the body carries. Where
another one is loaded, the pose is re-encoded from the rig, never decoded.
"""

import json
from functools import lru_cache
from pathlib import Path

import bpy
import numpy as np

from kinflow.core.arrays import numpy_namespace as xp
from kinflow.core.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from kinflow.errors import AssetError
from kinflow.priors.arrays import PriorArrays, load_prior_arrays
from kinflow.records import PriorId

from . import pose, soles

# a latent has up to 138 numbers and a vector property at most 32
PAGE_NAMES = tuple(f"latent_{page}" for page in range(5))
PAGE_SIZE = 32
DEFAULT = "light"
# Seen on a sweep of each axis (`kinflow.drawing.figures.axis_sheet`); those without an evident
# meaning keep their number.
AXIS_NAMES: dict[str, tuple[str, ...]] = {
    "light": (
        "Raise Arms",
        "Crouch",
        "Stride",
        "Open Arms",
        "Swing Arms",
        "Squat Wide",
        "Shift Weight",
        "Join Hands",
        "Reach Left",
        "Cross Legs",
        "Lean Right",
        "Lower Elbows",
    )
}


def axis_label(prior: str, index: int) -> str:
    """Name of an axis where it has an evident meaning, else its number."""
    names = AXIS_NAMES.get(prior, ())
    return names[index] if index < len(names) else f"Direction {index + 1}"


@lru_cache(maxsize=4)
def prior(name: str) -> PriorArrays:
    """A prior by name or path. Raises AssetError."""
    return load_prior_arrays(name)


def is_loaded(made_by: PriorId) -> bool:
    """Whether the prior of that name, as it is here, is the one that made a code."""
    try:
        return bool(made_by.name) and prior(made_by.name).checksum == made_by.checksum
    except AssetError:
        return False


def prior_of(armature: bpy.types.Object) -> PriorArrays:
    """The prior of the body's latent; the default one where a file brings a name unknown here."""
    try:
        return prior(armature.kinflow.prior)
    except AssetError:
        return prior(DEFAULT)


def decode(armature: bpy.types.Object, sigmas: np.ndarray) -> np.ndarray:
    """Sigmas along the body's axes (D,) -> rotations of the 23 joints (23, 3, 3), SMPL's axes."""
    flow = prior_of(armature)
    return flow.decode((flow.axes.T @ sigmas)[None])[0]


def encode(armature: bpy.types.Object, rotations: np.ndarray) -> np.ndarray:
    """Rotations (23, 3, 3), SMPL's axes -> sigmas along the body's axes (D,)."""
    flow = prior_of(armature)
    return flow.axes @ flow.encode(rotations[None])[0]


def latent(armature: bpy.types.Object) -> np.ndarray:
    """Latent along the axes, in sigmas. (D,)."""
    state, flow = armature.kinflow, prior_of(armature)
    if state.prior_checksum != flow.checksum:
        write_latent(armature, encode(armature, pose.read_body_pose(armature)))
    return written(armature)


def written(armature: bpy.types.Object) -> np.ndarray:
    """The properties as they stand, whichever prior they are of. (D,)."""
    pages = [np.array(getattr(armature.kinflow, name)[:]) for name in PAGE_NAMES]
    return np.concatenate(pages)[: prior_of(armature).dim]


def rarity(armature: bpy.types.Object) -> str:
    """What of the pose as it stands is unusual among captured people: "usual", "arms: unusual"."""
    # a panel asks at each redraw
    return _rarity(prior_of(armature).name, pose.read_body_pose(armature).tobytes())


@lru_cache(maxsize=16)
def _rarity(name: str, rotations: bytes) -> str:
    return prior(name).unusual(np.frombuffer(rotations).reshape((1, 23, 3, 3))).text()


def write_latent(armature: bpy.types.Object, sigmas: np.ndarray) -> None:
    """Writes a latent of the body's prior and leaves the bones as they are. sigmas (D,)."""
    pages = np.zeros((len(PAGE_NAMES), PAGE_SIZE))
    pages.flat[: len(sigmas)] = sigmas
    with pose.updates_paused():
        for name, page in zip(PAGE_NAMES, pages, strict=True):
            setattr(armature.kinflow, name, page.tolist())
    armature.kinflow.prior, armature.kinflow.prior_checksum = prior_of(armature).id


def set_latent(armature: bpy.types.Object, sigmas: np.ndarray) -> None:
    """Writes the latent and poses the rig once. sigmas (D,)."""
    write_latent(armature, sigmas)
    pose_from_latent(armature)


def pose_from_latent(armature: bpy.types.Object) -> None:
    """Decodes the latent properties and poses the bones; the root keeps its turn, and the soles
    their place.
    """
    if pose.follows_properties(armature):
        rotations = decode(armature, latent(armature))
        with soles.kept(armature):
            pose.set_body_pose(armature, rotations)


def store(armature: bpy.types.Object, name: str) -> None:
    """Keeps the pose in a property, for `blend_stored`."""
    sigmas = latent(armature)
    rotations = matrix_to_axis_angle(xp, decode(armature, sigmas))
    kept = {
        "prior": armature.kinflow.prior_checksum,
        "sigmas": sigmas.tolist(),
        "body_pose": rotations.tolist(),
    }
    setattr(armature.kinflow, name, json.dumps(kept))


def blend_stored(armature: bpy.types.Object) -> None:
    """Poses between the two stored poses; nothing while one is missing."""
    state = armature.kinflow
    if state.is_body and state.stored_a and state.stored_b:
        a, b = _stored(armature, state.stored_a), _stored(armature, state.stored_b)
        set_latent(armature, (1 - state.blend) * a + state.blend * b)


def _stored(armature: bpy.types.Object, text: str) -> np.ndarray:
    kept = json.loads(text)
    if kept["prior"] == prior_of(armature).checksum:
        return np.array(kept["sigmas"])
    return encode(armature, axis_angle_to_matrix(xp, np.array(kept["body_pose"])))


def preset_folder(armature: bpy.types.Object) -> str:
    """Where pose presets of the body's prior are kept, below Blender's presets."""
    flow = prior_of(armature)
    return f"kinflow/pose/{Path(flow.name).stem}-{flow.checksum[:8]}"
