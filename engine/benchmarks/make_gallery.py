"""python3 build.py gallery: the README's pictures, from renders and learned poses alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from kinflow import FitResult, Observation, fit, load_body, load_prior, observe
from kinflow.bodies.keypoint_names import NAMES
from kinflow.drawing.figures import axis_sheet, draw_body, pose_sheet
from kinflow.drawing.overlay import draw_observations, hypothesis_strip, overlay
from kinflow.drawing.sheets import contact_sheet
from kinflow.perception.photos import read_photo

from .synthetic import make_people

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "blender_tests" / "samples" / "punch.png"
FOLDER = ROOT / "engine" / "gallery"
SUBSETS = {
    "all": (),
    "no legs": ("knee", "ankle", "heel", "foot_index"),
    "no arms": ("elbow", "wrist", "pinky", "index", "thumb"),
    "left side only": ("right_",),
    "legs only": (
        *("shoulder", "elbow", "wrist", "pinky", "thumb", "index"),
        *("nose", "eye", "ear", "mouth"),
    ),
}


def _save(name: str, image: np.ndarray, width: int, colours: int = 128) -> None:
    height = round(image.shape[0] * width / image.shape[1])
    small = Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
    path = FOLDER / f"{name}.png"
    small.quantize(colours).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")


def _side(result: FitResult, size: tuple[int, int], yaw: float = 1.3) -> np.ndarray:
    return draw_body(result.vertices * np.array([1.0, -1.0, -1.0]), result.faces, size, yaw)


def without(person: Observation, endings: tuple[str, ...]) -> Observation:
    """The person with some keypoints unseen."""
    names = NAMES[person.keypoint_set]
    hidden = np.array([any(matches(name, ending) for ending in endings) for name in names])
    confidence = np.where(hidden, 0, person.confidence)
    return replace(person, confidence=confidence, mask=None, parts=None, world_landmarks=None)


def matches(name: str, part: str) -> bool:
    """Whether a keypoint is one of these; "index" is the finger's, not the foot's."""
    return part in name and not (part == "index" and "foot" in name)


def _hypotheses() -> np.ndarray:
    """The first held-out person whom keypoints alone explain in several ways, on an empty photo."""
    people = make_people(30, 0.0, seed=3, parts=False).people
    result = next(r for r in fit(people, losses=("ka",)) if len(r.hypotheses) >= 3)
    blank = np.full((result.camera.height, result.camera.width, 3), 235, np.uint8)
    return hypothesis_strip(blank, result, load_body())


def _completed(rgb: np.ndarray, partial: Observation) -> tuple[np.ndarray, np.ndarray]:
    """What keypoints alone give, over the photo with those keypoints, and from the side."""
    result = fit(partial, losses=("ka",))[0]
    drawn = overlay(rgb, [result])
    for x, y in partial.keypoints[partial.usable]:
        cv2.circle(drawn, (int(x), int(y)), 7, (255, 220, 60), -1, cv2.LINE_AA)
    return drawn, _side(result, _tall(rgb))


def _tall(rgb: np.ndarray) -> tuple[int, int]:
    return rgb.shape[0], rgb.shape[0] * 2 // 3


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    rgb = read_photo(SAMPLE).rgb
    person = observe(SAMPLE, parts=True)[0]
    result = fit(person)[0]
    side = _side(result, _tall(rgb))
    panels = (rgb, draw_observations(rgb, [person]), overlay(rgb, [result]), side)
    _save("fit", np.concatenate(panels, 1), 1100)
    _save("hypotheses", _hypotheses(), 1100)
    prior = load_prior("light")
    _save("axes", axis_sheet(prior, 6), 900, 64)
    _save("samples", pose_sheet(prior.sample(60, 0.9, seed=4), 15), 1100, 64)
    images, labels = [], []
    for label, endings in SUBSETS.items():
        images += _completed(rgb, without(person, endings))
        labels += [label, ""]
    _save("completion", contact_sheet(images, len(images), labels, (360, 240)), 1100)


if __name__ == "__main__":
    main()
