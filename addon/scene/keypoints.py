"""Detected people as collection properties, and back as observations."""

import json
import uuid
from dataclasses import replace

import bpy
import numpy as np

from kinflow.bodies.keypoint_names import NAMES as KEYPOINT_NAMES
from kinflow.records import KEYPOINT_SETS, Observation

from .. import session
from . import photos


def store_people(photo: bpy.types.Collection, people: list[Observation]) -> None:
    """Writes what the detector found into a photo; masks stay in the session. Bodies of people who
    were found before stay, and are nobody's.
    """
    state = photo.kinflow
    state.people.clear()
    for observation in people:
        person = add_person(photo)
        write(person, observation)
        session.observations[photos.key_of(photo, person)] = observation
    state.last_person = 0
    camera = next((o.camera for o in people if o.camera), None)
    state.camera_json = json.dumps(camera.to_dict()) if camera else ""


def write(person: bpy.types.PropertyGroup, observation: Observation) -> None:
    """What is seen of somebody, as properties. Which keypoints are off stays, where there were as
    many before."""
    names = KEYPOINT_NAMES[observation.keypoint_set]
    person.keypoint_set = observation.keypoint_set
    person.confidence = float(np.mean(observation.confidence))
    if observation.box is not None:
        person.box = [float(v) for v in observation.box]
    if len(person.keypoints) != len(names):
        person.keypoints.clear()
        for name in names:
            person.keypoints.add().name = name
    for name, values in zip("xy", observation.keypoints.T, strict=True):
        person.keypoints.foreach_set(name, np.ascontiguousarray(values))
    person.keypoints.foreach_set("confidence", np.array(observation.confidence))


def read(person: bpy.types.PropertyGroup) -> tuple[np.ndarray, np.ndarray]:
    """A person's keypoints (K, 2) px and confidence (K,), whether they are on or off."""
    x, y, confidence = np.empty((3, len(person.keypoints)), np.float32)
    for name, values in (("x", x), ("y", y), ("confidence", confidence)):
        person.keypoints.foreach_get(name, values)
    return np.stack((x, y), -1), confidence


def add_person(photo: bpy.types.Collection) -> bpy.types.PropertyGroup:
    """Somebody in a photo, without keypoints yet."""
    person = photo.kinflow.people.add()
    person.uid = uuid.uuid4().hex
    person.name = f"Person {len(photo.kinflow.people)}"
    return person


def label(point: bpy.types.PropertyGroup) -> str:
    """A keypoint's name as one reads it, and that a fit does without it."""
    name = point.name.replace("_", " ").title()
    return name if point.enabled else f"{name} (off)"


def observation_of(photo: bpy.types.Collection, person: bpy.types.PropertyGroup) -> Observation:
    """A person's keypoints as they stand in the panel; with the mask where it is still known."""
    count, state = KEYPOINT_SETS[person.keypoint_set], photo.kinflow
    points = list(person.keypoints)[:count]
    keypoints = np.array([(p.x, p.y) for p in points], np.float32)
    confidence = np.array([p.confidence if p.enabled else 0.0 for p in points], np.float32)
    known = session.observations.get(photos.key_of(photo, person))
    if known is not None:
        return replace(known, keypoints=keypoints, confidence=confidence)
    return Observation(
        keypoints,
        confidence,
        person.keypoint_set,
        photos.camera_record(photo),
        np.array(person.box),
        image_path=state.path,
    )
