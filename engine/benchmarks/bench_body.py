"""build.py bench body: forward passes side by side with smplx in one run, batch 64, on the CPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import torch

from kinflow import load_body
from kinflow.bodies.jacobians import PointSet, pose_points
from kinflow.bodies.keypoints import keypoint_regressor
from kinflow.priors.numpy_flow import load_numpy_prior
from kinflow.rotations import axis_angle_to_matrix
from kinflow.core.skeleton import PARENTS

BATCH, ROUNDS = 64, 15


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


def smplx_model(body, batch: int = BATCH):
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
    names = (
        "nose",
        "reye",
        "leye",
        "rear",
        "lear",
        "LBigToe",
        "LSmallToe",
        "LHeel",
        "RBigToe",
        "RSmallToe",
        "RHeel",
        "lthumb",
        "lindex",
        "lmiddle",
        "lring",
        "lpinky",
        "rthumb",
        "rindex",
        "rmiddle",
        "rring",
        "rpinky",
    )
    return smplx.SMPL(
        "",
        data_struct=Struct(**data),
        batch_size=batch,
        num_betas=10,
        vertex_ids=dict.fromkeys(names, 0),
    )


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(int(os.environ.get("KINFLOW_BENCH_THREADS", "1")))
    body = load_body()
    generator = torch.Generator().manual_seed(0)
    root, pose = (
        torch.randn(BATCH, 3, generator=generator),
        0.4 * torch.randn(BATCH, 23, 3, generator=generator),
    )
    betas, transl = (
        torch.randn(BATCH, 10, generator=generator),
        torch.randn(BATCH, 3, generator=generator),
    )
    twin = smplx_model(body)
    regressor = keypoint_regressor(body, "coco17")
    points = PointSet.of(
        body, regressor.joint_weights, regressor.vertex_index, regressor.vertex_weights
    )

    def rotations() -> torch.Tensor:
        return axis_angle_to_matrix(torch.cat((root[:, None], pose), 1))

    table = median_ms(
        {
            "smplx forward": lambda: twin(
                global_orient=root, body_pose=pose.flatten(1), betas=betas, transl=transl
            ),
            "kinflow full mesh": lambda: body(root, pose, betas, transl),
            "kinflow joints and COCO-17 keypoints": lambda: pose_points(
                body, points, rotations(), betas, jacobian=False
            ),
            "the same with Jacobians": lambda: pose_points(body, points, rotations(), betas),
        }
    )
    print(
        f"batch {BATCH}, {torch.get_num_threads()} threads, {body.num_vertices} vertices, median of {ROUNDS}"
    )
    for name, value in table.items():
        print(f"{name:>38}: {value:8.2f} ms   {table['smplx forward'] / value:6.1f} x")
    flow = load_numpy_prior("light")
    z = np.random.default_rng(0).standard_normal((1, flow.dim)).astype(np.float32)
    single = median_ms(
        {"numpy decode of one code (light)": lambda: [flow.decode(z) for _ in range(100)]}
    )
    for name, value in single.items():
        print(f"{name:>38}: {value / 100:8.4f} ms")


if __name__ == "__main__":
    main()
