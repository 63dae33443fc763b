"""Where the regressor's answers stand, and how they look to it beside what was observed."""

from dataclasses import dataclass

import array_api_compat.torch as xp
import torch
from torch import Tensor

from ..bodies.model import Body
from ..bodies.tables import body_table, keypoint_table, skin_sample
from ..core.arrays import Backend, mapped, numpy_backend, numpy_namespace, to_numpy
from ..core.body import pose_skeleton
from ..core.camera import Lens, Targets, project
from ..core.points import pose_points
from ..core.terms.parts import Skin
from ..priors.prior import Prior
from ..threads import one_thread
from .inputs import KEYPOINT_SET, Inputs, part_pixels
from .look import Evidence, Tables, gauss_newton, on_keypoints
from .network import State, View


@dataclass(frozen=True)
class Figure:
    """A body and a prior that the regressor poses people by."""

    body: Body
    prior: Prior

    def tables(self, backend: Backend | None = None) -> Tables:
        """What posing needs where a computation runs; without a backend, beside the body."""
        arrays, backend = self.body.arrays, backend or self.body.backend
        return Tables(
            body_table(arrays, backend),
            self.prior.arrays.decoder(backend),
            keypoint_table(arrays, KEYPOINT_SET, backend),
            skin_sample(arrays, backend),
        )

    @property
    def skin(self) -> Skin:
        """Vertices spread over the skin, beside the body."""
        return skin_sample(self.body.arrays, self.body.backend)

    @torch.no_grad()
    def look(self, state: State, inputs: Inputs) -> View:
        """How a state looks beside what was observed (`network.Look`); in numpy on a CPU."""
        evidence = evidence_of(inputs)
        if self.body.device.type != "cpu":
            answer = (state.z, state.root, state.betas)
            return View(*gauss_newton(xp, self.tables(), answer, evidence))
        place = numpy_backend(to_numpy(state.z).dtype)
        host = (to_numpy(state.z), to_numpy(state.root), to_numpy(state.betas))
        with one_thread():
            observed = mapped(to_numpy, evidence)
            shown = gauss_newton(numpy_namespace, self.tables(place), host, observed)
        return View(*(torch.from_numpy(array).to(state.z.dtype) for array in shown))


def evidence_of(inputs: Inputs) -> Evidence:
    """The network's inputs as what a state is held against."""
    targets, lens = Targets(inputs.keypoints, inputs.confidence), Lens(inputs.focal, inputs.centre)
    return Evidence(targets, lens, inputs.crop[:, 2], *part_pixels(inputs))


@dataclass(frozen=True)
class Placed:
    """z (B, D), rotations (B, 24, 3, 3) root first, betas (B, 10), transl (B, 3), joints (B, 24, 3)
    without transl, keypoints (B, 17, 2) px."""

    z: Tensor
    rotations: Tensor
    betas: Tensor
    transl: Tensor
    joints: Tensor
    keypoints: Tensor


def place(figure: Figure, state: State, inputs: Inputs) -> Placed:
    """A state where it lies best on the observed keypoints; differentiable."""
    tables, evidence = figure.tables(), evidence_of(inputs)
    rotations = torch.cat((state.root[:, None], tables.decoder.decode(xp, state.z)[0]), 1)
    skeleton = pose_skeleton(xp, tables.body, rotations, state.betas)
    points = pose_points(xp, tables.keypoints, skeleton).places
    transl = on_keypoints(xp, points, evidence)
    pixels, _ = project(xp, points + transl[:, None], evidence.lens)
    return Placed(state.z, rotations, state.betas, transl, skeleton.place, pixels)
