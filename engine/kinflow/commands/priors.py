"""prior sample, eval, export."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from .common import Common


@dataclass(frozen=True, kw_only=True)
class PriorSample(Common):
    """Sample poses from a prior into an .npz (body_pose, axis-angle)."""

    out: Annotated[Path, tyro.conf.Positional] = Path("samples.npz")
    prior: str = "light"
    n: int = 200
    temperature: float = 1.0
    sheet: Path | None = None
    """Also draw a contact sheet."""


@dataclass(frozen=True, kw_only=True)
class PriorEval(Common):
    """Compare the shipped priors with others on captured poses.

    The others: a VPoser, a mixture, one Gaussian, none; the poses: of performers kept aside, or any
    file's. Needs a checkout.
    """

    poses: Path | None = None
    """An .npz with pose (N, 69) axis-angle, clip (N,) and, optionally, performer (N,)."""
    per_clip: int = 3
    """Poses of each clip."""
    draws: int = 10
    """Answers drawn for the best of."""
    priors: tuple[str, ...] = ()
    """Only these; a checkpoint's path too."""


@dataclass(frozen=True, kw_only=True)
class PriorExport(Common):
    """Write a prior's latent -> pose map as ONNX.

    Input z; outputs its representation and rotation matrices.
    """

    onnx: Path
    prior: str = "light"


def run_eval(command: PriorEval) -> dict[str, Any]:
    from .bench import import_benchmark

    evaluation = import_benchmark("prior_eval")
    plan = evaluation.Plan(command.poses, command.per_clip, command.draws, command.priors)
    return {"errors": evaluation.run(plan)}


def run_export(command: PriorExport) -> dict[str, Any]:
    from ..priors.onnx_export import export_onnx
    from ..priors.prior import load_prior

    export_onnx(load_prior(command.prior), command.onnx)
    return {"out": str(command.onnx)}


def run_sample(command: PriorSample) -> dict[str, Any]:
    import array_api_compat.torch as xp
    import numpy as np

    from ..core.rotations import matrix_to_axis_angle
    from ..priors.prior import load_prior

    poses = load_prior(command.prior).sample(command.n, command.temperature, command.seed)
    np.savez(command.out, body_pose=matrix_to_axis_angle(xp, poses).numpy())
    if command.sheet:
        from PIL import Image

        from ..drawing.figures import pose_sheet

        Image.fromarray(pose_sheet(poses)).save(command.sheet)
    return {"out": str(command.out), "n": command.n}
