"""A body in SMPL's layout, and its forward pass."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property

import torch
from torch import Tensor

from ..errors import InvalidInputError
from ..rotations import axis_angle_to_matrix
from .kinematics import global_transforms, shaped_joints, skin


@dataclass(frozen=True)
class Body:
    """SMPL's arrays under SMPL's names, with what makes them fast.

    v_template (V, 3), shapedirs (V, 3, 10), posedirs (207, 3V), J_regressor (24, V), lbs_weights (V, 24),
    parents (24,), faces (F, 3), parts (V,) labels of `bodies.parts`; metres, Y up, facing +Z, T-pose.
    Where posedirs come from few rotation entries, `corrective_columns` (K,) names them of the 207 and
    `corrective_dirs` (K, 3V) holds their rows.
    """

    v_template: Tensor
    shapedirs: Tensor
    corrective_columns: Tensor
    corrective_dirs: Tensor
    J_regressor: Tensor
    lbs_weights: Tensor
    parents: Tensor
    faces: Tensor
    parts: Tensor
    weight_joints: Tensor
    weight_values: Tensor
    J_template: Tensor
    J_shapedirs: Tensor
    shape_names: tuple[str, ...] = ()
    quads: Tensor | None = None
    uv: Tensor | None = None
    quad_uv: Tensor | None = None
    name: str = ""
    licence: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def posedirs(self) -> Tensor:
        """SMPL's dense pose blend shapes (207, 3V)."""
        dense = self.v_template.new_zeros(207, self.v_template.numel())
        dense[self.corrective_columns] = self.corrective_dirs
        return dense

    @cached_property
    def blend_dirs(self) -> Tensor:
        """Shape and pose blend shapes in one matrix (10 + K, 3V), so that the rest mesh is one product."""
        return torch.cat((self.shapedirs.flatten(0, 1).T, self.corrective_dirs))

    @property
    def num_vertices(self) -> int:
        return len(self.v_template)

    @property
    def num_betas(self) -> int:
        return self.shapedirs.shape[-1]

    @property
    def dtype(self) -> torch.dtype:
        return self.v_template.dtype

    @property
    def device(self) -> torch.device:
        return self.v_template.device

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Body:
        """The same body elsewhere or in another precision (integer arrays keep their type); itself where nothing changes."""
        if dtype in (None, self.dtype) and (device is None or torch.device(device) == self.device):
            return self
        changed = {}
        for field_ in fields(self):
            value = getattr(self, field_.name)
            if isinstance(value, Tensor):
                value = value.to(device=device, dtype=dtype if value.is_floating_point() else None)
            changed[field_.name] = value
        return Body(**changed)

    def __call__(
        self,
        global_orient: Tensor | None = None,
        body_pose: Tensor | None = None,
        betas: Tensor | None = None,
        transl: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """SMPL's forward pass, differentiable.

        global_orient (B, 3) or (B, 3, 3); body_pose (B, 23, 3), (B, 69) or (B, 23, 3, 3); betas (B, <= 10);
        transl (B, 3); axis-angle in radians, metres. What is left out is zero.
        Returns vertices (B, V, 3) and joints (B, 24, 3). Raises InvalidInputError on wrong shapes.
        """
        rotations, betas, transl = self.prepare(global_orient, body_pose, betas, transl)
        joints_rest = shaped_joints(self, betas)
        world, joints = global_transforms(rotations, joints_rest, self.parents)
        vertices = skin(self, rotations, betas, world, joints, joints_rest)
        return vertices + transl[:, None], joints + transl[:, None]

    def prepare(
        self,
        global_orient: Tensor | None,
        body_pose: Tensor | None,
        betas: Tensor | None,
        transl: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Checks and completes parameters. -> rotations (B, 24, 3, 3), betas (B, 10), transl (B, 3)."""
        given = [p for p in (global_orient, body_pose, betas, transl) if p is not None]
        batch = max((len(p) for p in given), default=1)

        def fill(value: Tensor | None, *shape: int) -> Tensor:
            if value is None:
                return self.v_template.new_zeros(batch, *shape)
            return (
                value.to(self.v_template)
                if value.shape[0] == batch
                else value.to(self.v_template).expand(batch, *value.shape[1:])
            )

        def matrices(value: Tensor, joints: int, name: str) -> Tensor:
            if value.shape[-2:] == (3, 3) and value.numel() == batch * joints * 9:
                return value.reshape(batch, joints, 3, 3)
            if value.numel() != batch * joints * 3:
                raise InvalidInputError(
                    f"{name} should have shape ({batch}, {joints}, 3), not {tuple(value.shape)}."
                )
            return axis_angle_to_matrix(value.reshape(batch, joints, 3))

        try:
            root = matrices(fill(global_orient, 3), 1, "global_orient")
            rest = matrices(fill(body_pose, 23, 3), 23, "body_pose")
            betas, transl = fill(betas, self.num_betas), fill(transl, 3)
        except RuntimeError as error:
            raise InvalidInputError(f"The parameters' batch sizes differ: {error}") from error
        if betas.ndim != 2 or betas.shape[1] > self.num_betas or transl.shape != (batch, 3):
            raise InvalidInputError(
                f"betas should be ({batch}, {self.num_betas}) and transl ({batch}, 3)."
            )
        if betas.shape[1] < self.num_betas:
            betas = torch.nn.functional.pad(betas, (0, self.num_betas - betas.shape[1]))
        return torch.cat((root, rest), 1), betas, transl


class BodyKey:
    """A body as a dictionary's key: alike if topology and template are, whatever the device or precision."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.key = (body.num_vertices, round(float(body.v_template.double().sum()), 4))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BodyKey) and self.key == other.key
