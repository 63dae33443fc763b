"""A body in SMPL's layout on torch, and its forward pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import array_api_compat.torch as xp
import torch
from torch import Tensor

from ..core.arrays import Backend
from ..core.body import BodyTable, pose_skeleton, skin
from ..core.rotations import axis_angle_to_matrix
from ..core.skeleton import PARENTS
from ..errors import InvalidInputError
from .arrays import BodyArrays
from .tables import body_table, skin_table


def torch_backend(
    device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Backend:
    """Tensors of torch on a device."""
    return Backend(xp, dtype, torch.device(device))


def _tensor(name: str) -> cached_property[Tensor]:
    """The array of that name where the body is, moved there once."""
    return cached_property(lambda body: body.backend.asarray(getattr(body.arrays, name)))


@dataclass(frozen=True, eq=False)
class Body:
    """SMPL's arrays under SMPL's names, as tensors.

    v_template (V, 3), shapedirs (V, 3, 10), posedirs (207, 3V), J_regressor (24, V), lbs_weights
    (V, 24), parents (24,), faces (F, 3), parts (V,) labels of `bodies.parts`; metres, Y up, facing
    +Z, T-pose.
    """

    arrays: BodyArrays
    backend: Backend = field(default_factory=torch_backend)

    v_template = _tensor("v_template")
    shapedirs = _tensor("shapedirs")
    J_regressor = _tensor("J_regressor")
    J_template = _tensor("J_template")
    lbs_weights = _tensor("lbs_weights")
    faces = _tensor("faces")
    parts = _tensor("parts")

    @property
    def posedirs(self) -> Tensor:
        """SMPL's dense pose blend shapes (207, 3V)."""
        dense = self.v_template.new_zeros(207, self.v_template.numel())
        offsets = self.backend.asarray(self.arrays.offsets)
        dense[self.backend.asarray(self.arrays.columns)] = offsets.flatten(1)
        return dense

    @property
    def parents(self) -> Tensor:
        return torch.tensor(PARENTS)

    @property
    def table(self) -> BodyTable:
        """What `core.body` poses the skeleton by."""
        return body_table(self.arrays, self.backend)

    @property
    def num_vertices(self) -> int:
        return self.arrays.num_vertices

    @property
    def num_betas(self) -> int:
        return int(self.arrays.shapedirs.shape[-1])

    @property
    def name(self) -> str:
        return self.arrays.name

    @property
    def licence(self) -> str:
        return self.arrays.licence

    @property
    def shape_names(self) -> tuple[str, ...]:
        """What each of the betas does, where the file says it."""
        return self.arrays.shape_names

    @property
    def dtype(self) -> torch.dtype:
        return self.backend.dtype

    @property
    def device(self) -> torch.device:
        return self.backend.device

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Body:
        """The same body elsewhere or in another precision; itself where nothing changes."""
        backend = torch_backend(device or self.device, dtype or self.dtype)
        return self if backend == self.backend else Body(self.arrays, backend)

    def __call__(
        self,
        global_orient: Tensor | None = None,
        body_pose: Tensor | None = None,
        betas: Tensor | None = None,
        transl: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """SMPL's forward pass, differentiable.

        global_orient (B, 3) or (B, 3, 3); body_pose (B, 23, 3), (B, 69) or (B, 23, 3, 3); betas (B,
        <= 10); transl (B, 3); axis-angle in radians, metres. What is left out is zero.
        Returns vertices (B, V, 3) and joints (B, 24, 3). Raises InvalidInputError on wrong shapes.
        """
        rotations, betas, transl = self._prepared(global_orient, body_pose, betas, transl)
        skeleton = pose_skeleton(xp, self.table, rotations, betas)
        vertices = skin(xp, skin_table(self.arrays, self.backend), skeleton)
        return vertices + transl[:, None], skeleton.place + transl[:, None]

    def _prepared(
        self,
        global_orient: Tensor | None,
        body_pose: Tensor | None,
        betas: Tensor | None,
        transl: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Checked and completed. -> rotations (B, 24, 3, 3), betas (B, 10), transl (B, 3)."""
        stated = [p for p in (global_orient, body_pose, betas, transl) if p is not None]
        batch = max((len(p) for p in stated), default=1)

        def fill(value: Tensor | None, *shape: int) -> Tensor:
            if value is None:
                return self.v_template.new_zeros(batch, *shape)
            value = value.to(self.v_template)
            return value if len(value) == batch else value.expand(batch, *value.shape[1:])

        try:
            root = _matrices(fill(global_orient, 3), 1, "global_orient")
            rest = _matrices(fill(body_pose, 23, 3), 23, "body_pose")
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


def _matrices(value: Tensor, joints: int, name: str) -> Tensor:
    batch = len(value)
    if value.shape[-2:] == (3, 3) and value.numel() == batch * joints * 9:
        return value.reshape(batch, joints, 3, 3)
    if value.numel() != batch * joints * 3:
        raise InvalidInputError(
            f"{name} should have shape ({batch}, {joints}, 3), not {tuple(value.shape)}."
        )
    return axis_angle_to_matrix(xp, value.reshape(batch, joints, 3))
