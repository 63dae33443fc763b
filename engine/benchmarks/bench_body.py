"""build.py bench body: forward passes side by side with smplx in one run, batch 64, on the CPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import array_api_compat.torch as xp
import numpy as np
import torch

from kinflow import load_body
from kinflow.bodies.model import Body
from kinflow.bodies.tables import keypoint_table
from kinflow.core.body import pose_skeleton
from kinflow.core.points import levers, pose_points
from kinflow.core.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import PARENTS
from kinflow.priors.arrays import load_prior_arrays

BATCH, ROUNDS = 64, 15
# smplx wants to know where these vertices are; nobody here asks for them
SMPLX_VERTICES = (
    *("nose", "reye", "leye", "rear", "lear"),
    *("LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel"),
    *(
        f"{side}{finger}"
        for side in "lr"
        for finger in ("thumb", "index", "middle", "ring", "pinky")
    ),
)


def median_ms(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Medians with the calls interleaved, so that a busy machine slows all alike.

    Each timed call follows an untimed one of its own: none pays for caches that another left cold.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(ROUNDS):
        for name, call in calls.items():
            call()
            started = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - started))
    return {name: float(np.median(values)) for name, values in times.items()}


def smplx_model(body: Body, batch: int = BATCH) -> torch.nn.Module:
    """`smplx`'s own SMPL with the arrays of a body."""
    import smplx
    from smplx.utils import Struct

    data = {
        "v_template": body.v_template.numpy(),
        "shapedirs": body.shapedirs.numpy(),
        "f": body.faces.numpy(),
        "posedirs": body.posedirs.T.reshape(-1, 3, 207).numpy(),
        "J_regressor": body.J_regressor.numpy(),
        "weights": body.lbs_weights.numpy(),
        "kintree_table": np.array([PARENTS, range(24)]),
    }
    nowhere = dict.fromkeys(SMPLX_VERTICES, 0)
    struct = Struct(**data)
    return smplx.SMPL("", data_struct=struct, batch_size=batch, num_betas=10, vertex_ids=nowhere)


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(int(os.environ.get("KINFLOW_BENCH_THREADS", "1")))
    body = load_body()
    table = median_ms(forward_passes(body))
    print(
        f"batch {BATCH}, {torch.get_num_threads()} threads, {body.num_vertices} vertices, "
        f"median of {ROUNDS}"
    )
    for name, value in table.items():
        print(f"{name:>38}: {value:8.2f} ms   {table['smplx forward'] / value:6.1f} x")
    flow = load_prior_arrays("light")
    z = np.random.default_rng(0).standard_normal((1, flow.dim)).astype(np.float32)
    name = "numpy decode of one code (light)"
    single = median_ms({name: lambda: [flow.decode(z) for _ in range(100)]})
    print(f"{name:>38}: {single[name] / 100:8.4f} ms")


def forward_passes(body: Body) -> dict[str, Callable[[], object]]:
    """The calls that are timed, by name, on the same random people."""
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(BATCH, 3, generator=generator)
    pose = 0.4 * torch.randn(BATCH, 23, 3, generator=generator)
    betas = torch.randn(BATCH, 10, generator=generator)
    transl = torch.randn(BATCH, 3, generator=generator)
    twin = smplx_model(body)
    points = keypoint_table(body.arrays, "coco17", body.backend)

    def posed(jacobian: bool) -> object:
        rotations = axis_angle_to_matrix(xp, torch.cat((root[:, None], pose), 1))
        skeleton = pose_skeleton(xp, body.table, rotations, betas)
        keypoints = pose_points(xp, points, skeleton)
        return levers(xp, body.table, keypoints) if jacobian else keypoints

    return {
        "smplx forward": lambda: twin(
            global_orient=root, body_pose=pose.flatten(1), betas=betas, transl=transl
        ),
        "kinflow full mesh": lambda: body(root, pose, betas, transl),
        "kinflow joints and COCO-17 keypoints": lambda: posed(False),
        "the same with Jacobians": lambda: posed(True),
    }


if __name__ == "__main__":
    main()
