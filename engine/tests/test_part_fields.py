"""Masks -> the distance fields of loss BA."""

from dataclasses import replace

import numpy as np
import pytest

from kinflow import Observation
from kinflow.bodies.arrays import default_body_arrays
from kinflow.core.arrays import numpy_backend
from kinflow.core.posterior import State
from kinflow.core.solver import Solution
from kinflow.fitting.backend import iterations, silent
from kinflow.fitting.config import FitConfig
from kinflow.fitting.part_fields import parts_term
from kinflow.fitting.people import Means, gather
from kinflow.fitting.stages import Search, body_parts
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


def test_a_minimum_is_tried_on_the_mask_however_often_a_better_one_was_found():
    backend = numpy_backend(np.float64)
    means = Means(default_body_arrays(), load_prior_arrays(), backend, FitConfig())
    person = masked(slice(60, 140))
    seen = replace(person, keypoints=np.random.default_rng(0).uniform(60, 140, (33, 2)))
    people = gather([seen], [person.assumed_camera()], means)
    z = np.zeros((5, means.prior.dim))
    z[4] = np.random.default_rng(1).normal(size=means.prior.dim)
    upright = np.tile(np.diag([1.0, -1.0, -1.0]), (5, 1, 1))
    state = State(z, upright, np.zeros((5, 10)), np.tile([0.0, 0.0, 4.0], (5, 1)))
    energy = np.array([1.0, 1.0, 1.0, 1.0, 2.0])
    solution = Solution(state, energy, np.ones(5, bool), 1)
    kept = body_parts(Search(people, solution, np.zeros(5, np.int64)), 0, iterations(silent, 0, 1))
    assert len(kept.owner) == 2
