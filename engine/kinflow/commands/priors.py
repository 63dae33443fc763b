"""prior sample, eval, export."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..terminal import progress, say
from ..userfiles import replacing
from .common import UNSET, Common, make_room_for, say_written
from .inputs import INPUT


@dataclass(frozen=True, kw_only=True)
class PriorSample(Common):
    """Sample poses from a prior into an .npz (body_pose, axis-angle)."""

    out: Annotated[Path, tyro.conf.Positional] = Path("samples.npz")
    """The .npz to write."""
    prior: str = "light"
    """The prior's name or its file."""
    n: int = 200
    """How many poses."""
    temperature: float = 1.0
    """Below 1: nearer to the usual; above: further off."""
    sheet: Annotated[Path | None, UNSET] = None
    """Also draw them all on one picture (.png)."""


@dataclass(frozen=True, kw_only=True)
class PriorEval(Common):
    """Compare the shipped priors with others on captured poses.

    The others: a VPoser, a mixture, one Gaussian, none; the poses: of performers kept aside, or any
    file's. Needs a checkout.
    """

    poses: Annotated[Path | None, UNSET] = field(default=None, metadata=INPUT)
    """An .npz with pose (N, 69) axis-angle, clip (N,) and, optionally, performer (N,)."""
    per_clip: int = 3
    """Poses of each clip."""
    draws: int = 10
    """Answers drawn for the best of."""
    priors: Annotated[tuple[str, ...], UNSET] = ()
    """Only these; a checkpoint's path too."""


@dataclass(frozen=True, kw_only=True)
class PriorExport(Common):
    """Write a prior's latent -> pose map as ONNX.

    Input z; outputs its representation and rotation matrices.
    """

    onnx: Path
    """The file to write."""
    prior: str = "light"
    """The prior's name or its file."""


def run_eval(command: PriorEval) -> dict[str, Any]:
    from .bench import import_benchmark

    evaluation = import_benchmark("prior_eval")
    plan = evaluation.Plan(command.poses, command.per_clip, command.draws, command.priors)
    return {"errors": evaluation.run(plan)}


def run_export(command: PriorExport) -> dict[str, Any]:
    from ..priors.onnx_export import export_onnx
    from ..priors.prior import load_prior

    make_room_for(command.onnx)
    export_onnx(load_prior(command.prior), command.onnx)
    say_written([command.onnx])
    return {"out": str(command.onnx)}


def run_sample(command: PriorSample) -> dict[str, Any]:
    import array_api_compat.torch as xp
    import numpy as np

    from ..core.rotations import matrix_to_axis_angle
    from ..priors.prior import load_prior

    poses = load_prior(command.prior).sample(command.n, command.temperature, command.seed)
    make_room_for(command.out)
    with replacing(command.out) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, body_pose=matrix_to_axis_angle(xp, poses).numpy())
    if command.sheet:
        from PIL import Image

        from ..drawing.figures import pose_sheet

        make_room_for(command.sheet)
        with progress("Drawing", command.n, "poses") as show:
            Image.fromarray(pose_sheet(poses, report=show)).save(command.sheet)
    written = [command.out, *([command.sheet] if command.sheet else [])]
    say(f"{command.n} poses of the prior {command.prior}.")
    say_written(written)
    return {"out": str(command.out), "n": command.n}
