"""Masks -> the distance fields of loss BA."""

import numpy as np
import pytest

from kinflow import Observation
from kinflow.bodies.arrays import default_body_arrays
from kinflow.core.arrays import numpy_backend
from kinflow.fitting.config import FitConfig
from kinflow.fitting.part_fields import parts_term
from kinflow.fitting.people import Means
from kinflow.priors.arrays import load_prior_arrays


def masked(columns: slice) -> Observation:
    mask = np.zeros((200, 200), bool)
    mask[40:160, columns] = True
    return Observation(np.zeros((33, 2)), np.ones(33), "blazepose33", mask=mask)


@pytest.mark.parametrize(("photo", "hidden"), [([0, 0], True), ([0, 1], False), (None, False)])
def test_behind_somebody_of_the_same_photo_a_body_may_be_and_costs_nothing(photo, hidden):
    backend = numpy_backend(np.float64)
    means = Means(default_body_arrays(), load_prior_arrays(), backend, FitConfig())
    people = [masked(slice(40, 90)), masked(slice(90, 160))]
    numbers = None if photo is None else np.array(photo)
    fields = parts_term(people, means, np.full(2, 100.0), 0, numbers).fields
    behind, beside = np.full((2, 1, 2), 100.0), np.full((2, 1, 2), 20.0)
    behind[0, 0, 0], behind[1, 0, 0] = 130, 60  # on the other's mask
    channel = np.zeros(1, np.int64)
    far, _ = fields.at(backend.xp, behind, channel)
    assert (far < 1).all() if hidden else (far > 25).all()
    outside, _ = fields.at(backend.xp, beside, channel)
    assert (outside > 15).all()
    # what is to be explained is one's own mask alone
    assert fields.pixels[0, :, 0].max() < 90 < fields.pixels[1, :, 0].min()
