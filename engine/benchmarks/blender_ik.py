"""Blender's own inverse kinematics on the same skeleton and targets, in a process of its own.

python blender_ik.py TASKS.npz ANSWERS.npz SOLVER, with pip's bpy; SOLVER is LEGACY (the standard
one) or ITASC. Nothing of kinflow is imported. The armature has SMPL's joints as bones; a position
is an IK constraint to the joint's head over the whole chain, a rotation a Copy Rotation. The pelvis
is where the task has it, and does not turn.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np


def build(joints: np.ndarray, parents: list[int]) -> Any:
    """An armature in the T-pose: bone j from joint j to its first child, or a little further."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    rig = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bones = []
    for j, parent in enumerate(parents):
        bone = rig.data.edit_bones.new(str(j))
        middle = {0: 3, 9: 12}.get(j)  # pelvis and chest go on with the spine
        children = [c for c, p in enumerate(parents) if p == j]
        child = middle if middle is not None else (children or [None])[0]
        way = joints[j] - joints[parent] if child is None else joints[child] - joints[j]
        bone.head, bone.tail = joints[j], joints[j] + (0.3 * way if child is None else way)
        bone.parent = bones[parent] if parent >= 0 else None
        bones.append(bone)
    bpy.ops.object.mode_set(mode="POSE")
    return rig


class Bench:
    """The rig, and empties that its constraints follow."""

    def __init__(self, joints: np.ndarray, parents: list[int], solver: str) -> None:
        import bpy
        from mathutils import Matrix

        self.bpy, self.matrix = bpy, Matrix
        self.rig, self.parents = build(joints, parents), parents
        self.rig.pose.ik_solver = solver
        if solver == "ITASC":
            self.rig.pose.ik_param.mode = "SIMULATION"
            self.rig.pose.ik_param.reiteration_method = "ALWAYS"
            self.rig.pose.ik_param.iterations = 500
        pelvis = self.rig.pose.bones["0"]
        pelvis.lock_ik_x = pelvis.lock_ik_y = pelvis.lock_ik_z = True
        self.rest = [np.array(self.rig.data.bones[str(j)].matrix_local) for j in range(24)]
        self.joints = joints

    def start(self, local: np.ndarray, place: np.ndarray) -> None:
        """Local rotations (24, 3, 3), the pelvis at place (3,)."""
        for j, rest in enumerate(self.rest):
            basis = np.eye(4)
            basis[:3, :3] = rest[:3, :3].T @ local[j] @ rest[:3, :3]
            if j == 0:
                basis[:3, 3] = rest[:3, :3].T @ (place - self.joints[0])
            self.rig.pose.bones[str(j)].matrix_basis = self.matrix(basis.tolist())

    def ask(self, effectors: list[dict[str, Any]]) -> None:
        """Constraints for all effectors but the pelvis'."""
        for effector in effectors:
            j = effector["joint"]
            bone = self.rig.pose.bones[str(j)]
            target = np.eye(4)
            if effector["rotation"] is not None:
                target[:3, :3] = np.array(effector["rotation"]) @ self.rest[j][:3, :3]
            if effector["position"] is not None:
                target[:3, 3] = effector["position"]
            empty = self.bpy.data.objects.new(f"target {j}", None)
            self.bpy.context.scene.collection.objects.link(empty)
            empty.matrix_world = self.matrix(target.tolist())
            if effector["position"] is not None:
                ik = bone.constraints.new("IK")
                ik.target, ik.use_tail, ik.iterations = empty, False, 500
            if effector["rotation"] is not None:
                bone.constraints.new("COPY_ROTATION").target = empty

    def answer(self) -> np.ndarray:
        """World transforms (24, 4, 4) of the joints."""
        self.bpy.context.view_layer.update()
        result = np.stack([np.array(self.rig.pose.bones[str(j)].matrix) for j in range(24)])
        for j, rest in enumerate(self.rest):
            result[j, :3, :3] = result[j, :3, :3] @ rest[:3, :3].T
        return result

    def clear(self) -> None:
        """No constraints, no empties."""
        for bone in self.rig.pose.bones:
            for constraint in list(bone.constraints):
                bone.constraints.remove(constraint)
        for thing in list(self.bpy.data.objects):
            if thing != self.rig:
                self.bpy.data.objects.remove(thing)


def main(tasks: str, answers: str, solver: str) -> None:
    with np.load(tasks) as data:
        joints, local, place = data["joints"], data["local"], data["place"]
        asked, parents = json.loads(str(data["asked"])), data["parents"].tolist()
    bench = Bench(joints, parents, solver)
    world, seconds = [], []
    for effectors, turns, pelvis in zip(asked, local, place, strict=True):
        bench.clear()
        bench.start(turns, pelvis)
        bench.answer()
        started = time.perf_counter()
        bench.ask(effectors)
        world.append(bench.answer())
        seconds.append(time.perf_counter() - started)
    np.savez(answers, world=np.array(world), seconds=np.array(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:4])
