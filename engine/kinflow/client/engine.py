"""The public API, out of process."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ProtocolError
from ..posing import Effector, Floor, IKResult, Pose
from ..records import Camera, FitResult, Observation
from .client import Client
from .job import Progress
from .values import Array


class Engine(Client):
    """The engine process behind the calls of the public API, with the same numbers.

    Bodies and priors are given by name or path.
    """

    def observe(
        self,
        photo: Any,
        *,
        boxes: Array | None = None,
        device: str = "auto",
        fov_degrees: float | None = None,
        models: Sequence[str | os.PathLike[str]] = (),
        parts: bool = False,
        search: str = "thorough",
    ) -> list[Observation]:
        """As `kinflow.observe`."""
        people: list[Observation] = self.call(
            "observe",
            photo=photo,
            boxes=boxes,
            device=device,
            fov_degrees=fov_degrees,
            models=models,
            parts=parts,
            search=search,
        )
        return people

    def fit(
        self,
        observations: Observation | Sequence[Observation],
        *,
        body: str | os.PathLike[str] | None = None,
        prior: str | os.PathLike[str] | None = None,
        camera: Camera | None = None,
        losses: Sequence[str] = ("ka", "ba"),
        solver: str = "lm",
        starts: Sequence[FitResult | None] | str | None = None,
        shared_betas: bool = False,
        sex: str | Sequence[str | None] | None = None,
        age: str | Sequence[str | None] | None = None,
        pitch: float | None = None,
        roll: float | None = None,
        device: str = "auto",
        seed: int = 0,
        progress: Progress | None = None,
        mesh: bool = True,
    ) -> list[FitResult]:
        """As `kinflow.fit`. mesh=False leaves out vertices and faces: a hundredth of the bytes."""
        people = [observations] if isinstance(observations, Observation) else list(observations)
        results: list[FitResult] = self.call(
            "fit",
            progress,
            observations=people,
            body=body,
            prior=prior,
            camera=camera,
            losses=losses,
            solver=solver,
            starts=starts,
            shared_betas=shared_betas,
            sex=sex,
            age=age,
            pitch=pitch,
            roll=roll,
            device=device,
            seed=seed,
            mesh=mesh,
        )
        return results

    def solve_ik(
        self,
        effectors: Sequence[Effector],
        start: Any = None,
        *,
        body: str | os.PathLike[str] | None = None,
        prior: str | os.PathLike[str] | None = None,
        locked: Sequence[str] = (),
        floor: Floor | None = None,
    ) -> IKResult:
        """As `kinflow.solve_ik`."""
        result: IKResult = self.call(
            "solve_ik",
            effectors=list(effectors),
            start=None if start is None else Pose.of(start),
            body=body,
            prior=prior,
            locked=list(locked),
            floor=floor,
        )
        return result

    def decode(self, z: Array, prior: str | None = None) -> Array:
        """Latent codes (B, D) -> rotations (B, 23, 3, 3)."""
        return _array(self.call("decode", z=np.asarray(z, np.float32), prior=prior))

    def encode(self, pose: Array, prior: str | None = None) -> Array:
        """Poses (B, 23, 3, 3) or axis-angle (B, 23, 3) -> latent codes (B, D)."""
        return _array(self.call("encode", pose=np.asarray(pose, np.float32), prior=prior))

    def sample(
        self, n: int, temperature: float = 1.0, seed: int | None = None, prior: str | None = None
    ) -> Array:
        """Random poses (n, 23, 3, 3)."""
        return _array(self.call("sample", n=n, temperature=temperature, seed=seed, prior=prior))


def _array(value: Any) -> Array:
    if not isinstance(value, np.ndarray):
        raise ProtocolError(f"The engine answered with a {type(value).__name__}, not an array.")
    return value
