"""The public `observe`: photos in, people out, best first."""

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import InvalidInputError
from ..paths import cache_folder
from ..records import Observation
from .calibration import confidence, sigma_px
from .heads import find_boxes
from .model_people import load_models, observe_with_models, with_model_parts
from .networks import Network
from .part_labels import NETWORK, label_parts
from .people import inside
from .photos import Photo, as_photo, write_upright
from .search import in_boxes, search_people
from .views import Person, full_mask

MASK_THRESHOLD = 127  # of 255
SEARCHES = ("thorough", "quick")


def observe(
    photo: str | os.PathLike | np.ndarray | Sequence[str | os.PathLike | np.ndarray],
    *,
    boxes: np.ndarray | None = None,
    device: str = "auto",
    fov_degrees: float | None = None,
    models: Sequence[str | os.PathLike] = (),
    parts: bool = False,
    search: str = "thorough",
) -> list[Observation]:
    """Finds the people in one or several photos, best first within each.

    photo: path, upright (H, W, 3) uint8 RGB, or a list of them. boxes (N, 4) xyxy px: look only
    there (one photo). Keypoints are BlazePose's 33; `.photo` is the index of the input. A photo
    without people gives none.
    models: descriptions (.toml, see `perception.models`) of ONNX models that find boxes, keypoints
    or parts instead of the default detector.
    parts: label body parts on the mask (a fit to the mask alone explains real photos a little
    better: median IoU 0.71 against 0.67 on ten of them, and equally well on renders).
    search: "thorough" also looks into tiles of the photo, for small people and crowds; "quick" only
    at it as a whole and with a rim, for clips and for photos of one clear person.
    Raises PhotoError for what cannot be read, DetectorError where the detector or a model is
    missing or wrong.
    """
    many = isinstance(photo, Sequence) and not isinstance(photo, (str, bytes, os.PathLike))
    photos: list = list(photo) if many else [photo]  # type: ignore[arg-type]
    if search not in SEARCHES:
        raise InvalidInputError(f"Unknown search '{search}'.", f"Use one of {', '.join(SEARCHES)}.")
    if boxes is not None and len(photos) != 1:
        raise InvalidInputError("Boxes go with one photo.", "Call observe once a photo.")
    networks = load_models(models)
    result = []
    for index, item in enumerate(photos):
        read = as_photo(item, fov_degrees)
        if "keypoints" in networks:
            people = observe_with_models(read, networks, boxes)
        else:
            people = _default_people(read, networks, boxes, search == "thorough")
            people = _with_parts(read, people, networks, parts)
        shown = write_upright(read, cache_folder() / "upright")
        result += [replace(person, photo=index, image_path=shown) for person in people]
    return result


def _default_people(
    read: Photo, networks: dict[str, Network], boxes: np.ndarray | None, thorough: bool
) -> list[Observation]:
    """People by the default detector, in given boxes, in those of the user's model, or anywhere."""
    if boxes is not None:
        people = in_boxes(read.rgb, np.asarray(boxes, float) * read.scale)
    elif "boxes" in networks:
        people = in_boxes(read.rgb, find_boxes(networks["boxes"], read.rgb)[0])
    else:
        people = search_people(read.rgb, thorough)
    masks = masks_of(read, people)
    return [_observation(read, p, mask) for p, mask in zip(people, masks, strict=True)]


def _with_parts(
    read: Photo, people: list[Observation], networks: dict[str, Network], parts: bool
) -> list[Observation]:
    if "parts" in networks:
        return [with_model_parts(read, person, networks["parts"]) for person in people]
    if parts and NETWORK.is_file():
        return [label_parts(person) for person in people]
    return people


def masks_of(photo: Photo, people: list[Person]) -> list[np.ndarray]:
    """Masks (H, W) bool in the full photo; what several claim is whose it is most surely."""
    height, width = photo.camera.height, photo.camera.width
    most = np.full((height, width), MASK_THRESHOLD, np.uint8)
    owner = np.full((height, width), -1, np.int16)
    for number, person in enumerate(people):
        plane = full_mask(person, width, height, 1 / photo.scale)
        surer = plane > most
        most[surer], owner[surer] = plane[surer], number
    return [owner == number for number in range(len(people))]


def _observation(photo: Photo, person: Person, mask: np.ndarray) -> Observation:
    """In the full photo's pixels; what lies beyond its rim is extrapolated, not seen."""
    camera, points, size = photo.camera, person.points / photo.scale, person.size / photo.scale
    sigma = sigma_px(person.spread, person.visible, size)
    trust = confidence(sigma, size)
    frame = np.array([camera.width, camera.height])
    trust[~inside(points, frame)] = 0
    evidence = points[trust > 0]
    margin = 0.05 * size
    box = np.concatenate((evidence.min(0) - margin, evidence.max(0) + margin))
    box = np.clip(box, 0, np.tile(frame, 2))
    return Observation(
        *(points, trust, "blazepose33", camera, box, mask, None, person.world, photo.path),
        sigma=sigma,
        either_side=person.either_side,
    )
