"""Detected people as collection properties, and back as observations."""

import json
import uuid
from dataclasses import replace

import bpy
import numpy as np

from kinflow.bodies.keypoint_names import NAMES as KEYPOINT_NAMES
from kinflow.records import KEYPOINT_SETS, Camera, Observation

from .. import session


def store_people(scene: bpy.types.Scene, people: list[Observation]) -> None:
    """Writes what the detector found onto the scene; masks stay in the session."""
    state = scene.kinflow
    state.people.clear()
    for observation in people:
        person = state.people.add()
        person.uid = uuid.uuid4().hex
        person.name = f"Person {len(state.people)}"
        person.keypoint_set = observation.keypoint_set
        person.confidence = float(np.mean(observation.confidence))
        if observation.box is not None:
            person.box = [float(v) for v in observation.box]
        for name, (x, y), confidence in zip(
            KEYPOINT_NAMES[observation.keypoint_set],
            observation.keypoints,
            observation.confidence,
            strict=True,
        ):
            point = person.keypoints.add()
            point.name, point.confidence = name, float(confidence)
            point.x, point.y = float(x), float(y)
        session.observations[person.uid] = observation
    state.active_person = 0
    camera = next((o.camera for o in people if o.camera), None)
    state.camera_json = json.dumps(camera.to_dict()) if camera else ""


def active_person(scene: bpy.types.Scene) -> bpy.types.PropertyGroup | None:
    """The person whose keypoints are shown and refitted."""
    state = scene.kinflow
    known = 0 <= state.active_person < len(state.people)
    return state.people[state.active_person] if known else None


def label(point: bpy.types.PropertyGroup) -> str:
    """A keypoint's name as one reads it, and that a fit does without it."""
    name = point.name.replace("_", " ").title()
    return name if point.enabled else f"{name} (off)"


def observation_of(scene: bpy.types.Scene, person: bpy.types.PropertyGroup) -> Observation:
    """A person's keypoints as they stand in the panel; with the mask where it is still known."""
    count = KEYPOINT_SETS[person.keypoint_set]
    points = list(person.keypoints)[:count]
    keypoints = np.array([(p.x, p.y) for p in points], np.float32)
    confidence = np.array([p.confidence if p.enabled else 0.0 for p in points], np.float32)
    known = session.observations.get(person.uid)
    if known is not None:
        return replace(known, keypoints=keypoints, confidence=confidence)
    camera = Camera(**json.loads(scene.kinflow.camera_json)) if scene.kinflow.camera_json else None
    return Observation(
        keypoints,
        confidence,
        person.keypoint_set,
        camera,
        np.array(person.box),
        image_path=scene.kinflow.photo_path,
    )
