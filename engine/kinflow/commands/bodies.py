"""body info, body convert."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from ..terminal import say
from .common import UNSET, Common, make_room_for, say_written
from .inputs import INPUT


@dataclass(frozen=True, kw_only=True)
class BodyInfo(Common):
    """Say what a body file holds."""

    file: Annotated[Path | None, tyro.conf.Positional, UNSET] = field(default=None, metadata=INPUT)
    """An SMPL file; without, the free body."""


@dataclass(frozen=True, kw_only=True)
class BodyConvert(Common):
    """Write a body file as a clean .npz in SMPL's layout."""

    file: Annotated[Path, tyro.conf.Positional] = field(metadata=INPUT)
    """The body's file."""
    out: Annotated[Path, tyro.conf.Positional]
    """The .npz to write."""


def run_info(command: BodyInfo) -> dict[str, Any]:
    from ..bodies.files import load_body

    body = load_body(command.file)
    info = {
        "name": body.name or str(command.file),
        "vertices": body.num_vertices,
        "faces": len(body.faces),
        "betas": body.num_betas,
        "licence": body.licence,
        "shape_names": list(body.shape_names),
    }
    for key, value in info.items():
        say(f"{key}: {value}")
    return info


def run_convert(command: BodyConvert) -> dict[str, Any]:
    import numpy as np

    from ..bodies.files import load_body

    body = load_body(command.file)
    names = ("v_template", "shapedirs", "J_regressor", "lbs_weights")
    parents = body.parents.numpy()
    make_room_for(command.out)
    np.savez_compressed(
        command.out,
        **{n: getattr(body, n).numpy() for n in names},
        weights=body.lbs_weights.numpy(),
        posedirs=body.posedirs.T.reshape(body.num_vertices, 3, 207).numpy(),
        f=body.faces.numpy().astype(np.uint32),
        kintree_table=np.stack((parents, np.arange(24))).astype(np.int64),
    )
    say_written([command.out])
    return {"out": str(command.out)}
