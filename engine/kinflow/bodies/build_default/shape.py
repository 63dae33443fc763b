"""Ten named shape components, each one sigma of a stated adult population.

Population: adults of the United States. Stature: NHANES 2015-2018 (Fryar et al., Vital and Health
Statistics 3(46)): men 175.3 cm, women 161.3 cm, within-sex deviation 7.4 cm, so 10.2 cm for both
together. Body-mass index: deviation of 3.5 kg/m^2 (NCD-RisC 2016, within country and age, rounded;
the tails of real populations are longer on the heavy side, which a linear component cannot have).
Proportions at a given stature: ANSUR II (Gordon et al. 2014), deviations between people of one sex,
rounded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...core.skeleton import JOINT_INDEX
from .rig import to_t_pose
from .source import Macro, Source

TEMPLATE = Macro(age=0.56, weight=0.72)
TEMPLATE_STATURE = 1.70
DENSITY = 1010.0


@dataclass(frozen=True)
class Mesh:
    """A T-posed mesh: all source vertices (19158, 3), joints (24, 3)."""

    vertices: np.ndarray
    joints: np.ndarray

    def __add__(self, other: Mesh) -> Mesh:
        return Mesh(self.vertices + other.vertices, self.joints + other.joints)

    def __mul__(self, factor: float) -> Mesh:
        return Mesh(self.vertices * factor, self.joints * factor)

    def __sub__(self, other: Mesh) -> Mesh:
        return self + other * -1.0


@dataclass(frozen=True)
class Component:
    """A slider: what it changes by one sigma, and from where the sigma is."""

    name: str
    measure: str
    sigma: float
    origin: str


BMI_ORIGIN = "body-mass index of adults worldwide at given age and country, NCD-RisC 2016, rounded"
SEX_ORIGIN = "half the difference between the mean man and the mean woman"
BREADTH_ORIGIN = "biacromial breadth at given stature, ANSUR II"
COMPONENTS = (
    Component("Size", "stature", 0.102, "stature, NHANES 2015-2018, both sexes"),
    Component("Weight", "bmi", 3.5, BMI_ORIGIN),
    Component("Masculine", "gender", 0.5, SEX_ORIGIN),
    Component("Muscle", "muscle", 0.25, "a quarter of the source's range (no population figure)"),
    Component("Age", "age", 0.13, "17 years, NHANES adults"),
    Component("Leg length", "leg", 0.024, "crotch height at given stature, ANSUR II"),
    Component("Shoulder width", "shoulders", 0.018, BREADTH_ORIGIN),
    Component("Hip width", "hips", 0.020, "hip breadth at given stature, ANSUR II"),
    Component("Waist", "belly", 0.030, "waist depth at given weight, ANSUR II"),
    Component("Arm length", "arms", 0.018, "half of span at given stature, ANSUR II"),
)


class ShapeSpace:
    """Meshes of the source as linear directions in the T-pose."""

    def __init__(self, source: Source) -> None:
        self.source = source
        used = np.unique(source.quads)
        self.body = used[used < 13380]
        self.triangles = np.concatenate((source.quads[:, [0, 1, 2]], source.quads[:, [0, 2, 3]]))
        self.scale = 1.0
        raw = self._mesh()
        self.scale = TEMPLATE_STATURE / np.ptp(raw.vertices[self.body, 1])
        self.template = self._mesh()

    def _mesh(self, offsets: np.ndarray | float = 0.0, **macro: float) -> Mesh:
        v = (self.source.macro(replace(TEMPLATE, **macro)) + offsets) * self.scale
        return Mesh(*to_t_pose(self.source, v))

    def measures(self, mesh: Mesh) -> dict[str, float]:
        """Stature, BMI and the breadths that the components are scaled by (m, kg/m^2)."""
        v, j = mesh.vertices, mesh.joints
        body = v[self.body]
        stature = float(np.ptp(body[:, 1]))
        a, b, c = (v[self.triangles[:, i]] for i in range(3))
        volume = abs(float(np.einsum("ni,ni->", a, np.cross(b, c)))) / 6

        def at(name: str) -> np.ndarray:
            return j[JOINT_INDEX[name]]

        torso = np.abs(body[:, 0]) < 0.25
        waist = torso & (np.abs(body[:, 1] - at("spine1")[1]) < 0.03)
        hip = (np.abs(body[:, 1] - at("left_hip")[1]) < 0.03) & (np.abs(body[:, 0]) < 0.35)
        return {
            "stature": stature,
            "bmi": volume * DENSITY / stature**2,
            "leg": float(at("left_hip")[1] - at("left_ankle")[1]),
            "shoulders": float(at("left_shoulder")[0] - at("right_shoulder")[0]),
            "hips": float(np.ptp(body[hip, 0])),
            "belly": float(np.ptp(body[waist, 2])),
            "arms": float(np.linalg.norm(at("left_wrist") - at("left_shoulder"))),
        }

    def _targets(self, names: tuple[str, ...]) -> Mesh:
        up, down = ([f"{n}-{way}" for n in names] for way in ("incr", "decr"))
        target = self.source.target
        plus = self._mesh(0.5 * sum(target(n) for n in up))
        return plus - self._mesh(0.5 * sum(target(n) for n in down))

    def _slope(self, direction: Mesh, measure: str) -> float:
        """By how much a measure changes along a direction."""
        step = 0.25
        high = self.measures(self.template + direction * step)[measure]
        low = self.measures(self.template + direction * -step)[measure]
        return (high - low) / (2 * step)

    def _scaled(self, direction: Mesh, measure: str, sigma: float) -> Mesh:
        """Direction times the factor at which the measure changes by sigma."""
        return direction * (sigma / self._slope(direction, measure))

    def _held(self, direction: Mesh, hold: tuple[tuple[Mesh, str, float], ...]) -> Mesh:
        """Takes out what the direction changes in the held measures (stature, weight)."""
        for component, measure, sigma in hold:
            direction = direction - component * (self._slope(direction, measure) / sigma)
        return direction

    def _pair(self, slider: str, low: float, high: float) -> Mesh:
        """From one place of a slider to another."""
        return self._mesh(**{slider: high}) - self._mesh(**{slider: low})

    def components(self) -> list[Mesh]:
        """The ten directions, one sigma each, in the order of COMPONENTS."""
        stature, bmi = COMPONENTS[0].sigma, COMPONENTS[1].sigma
        size = self._scaled(self._pair("height", 0.2, 0.8), "stature", stature)
        held_size = (size, "stature", stature)
        weight = self._held(self._pair("weight", 0.25, 0.85), (held_size,))
        weight = self._scaled(weight, "bmi", bmi)
        held = (held_size, (weight, "bmi", bmi))
        result = [size, weight]
        for component in COMPONENTS[2:]:
            measure = component.measure
            kept = held[:1] if measure in WEIGHT_FREE else held
            if measure in SLIDERS:
                low, high, factor = SLIDERS[measure]
                result.append(self._held(self._pair(measure, low, high) * factor, kept))
            else:
                direction = self._held(self._targets(TARGETS[measure]), kept)
                result.append(self._scaled(direction, measure, component.sigma))
        return result


# macro sliders: from, to, and the share of the way that is one sigma
SLIDERS = {"gender": (0.0, 1.0, 0.5), "muscle": (0.25, 0.75, 0.5), "age": (0.5, 0.76, 0.5)}
# measures' own targets, each with one that raises and one that lowers it
TARGETS = {
    "leg": ("legs/measure-upperleg-height", "legs/measure-lowerleg-height"),
    "shoulders": ("torso/measure-shoulder-dist",),
    "hips": ("hip/hip-scale-horiz",),
    "belly": ("torso/measure-waist-circ",),
    "arms": ("arms/measure-upperarm-length", "arms/measure-lowerarm-length"),
}
WEIGHT_FREE = ("gender", "belly")  # with these the weight may change
