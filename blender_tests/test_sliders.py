"""Where sliders end, and which of them are worth the first page."""

import bpy
import numpy as np
import pytest
from conftest import shown_vertices

from addon.properties import SLIDERS
from addon.scene import latent


@pytest.fixture(scope="module")
def slider():
    properties = bpy.types.Object.bl_rna.properties["kinflow"].fixed_type.properties
    return properties["latent_0"]


@pytest.fixture
def armature():
    bpy.ops.kinflow.add_body()
    bpy.ops.kinflow.reset_pose()
    return bpy.context.active_object


def at(armature, index, value):
    """One slider moved from the mean pose."""
    sigmas = np.zeros(latent.prior_of(armature).dim)
    sigmas[index] = value
    latent.set_latent(armature, sigmas)
    bpy.context.view_layer.update()


def test_at_each_end_of_each_slider_the_pose_is_one_that_people_take(armature, slider):
    for index in range(SLIDERS):
        for end in (slider.soft_min, slider.soft_max):
            at(armature, index, end)
            assert latent.rarity(armature) == "usual", (index, end)


def test_hard_limits_lie_further_out_than_the_ends_and_are_there():
    properties = bpy.types.Object.bl_rna.properties["kinflow"].fixed_type.properties
    for name in ("latent_0", "betas"):
        found = properties[name]
        assert found.soft_max < found.hard_max <= 100 and found.soft_min > found.hard_min >= -100


def test_each_slider_of_the_first_page_moves_the_body_by_ten_centimetres(armature):
    mean = shown_vertices(armature)
    for index in range(SLIDERS):
        moved = []
        for value in (-2.0, 2.0):
            at(armature, index, value)
            moved.append(np.linalg.norm(shown_vertices(armature) - mean, axis=1).max())
        assert max(moved) > 0.1, (index, moved)


def test_each_slider_of_the_first_page_has_a_name_of_its_own(armature):
    names = [latent.axis_label(armature.kinflow.prior, index) for index in range(SLIDERS)]
    assert len(set(names)) == SLIDERS and not any(c.isdigit() for name in names for c in name)


def test_a_whole_scale_of_variety_gives_poses_that_people_take(armature):
    """At the end of its slider samples are as varied as people are, not more."""
    scene = bpy.types.Scene.bl_rna.properties["kinflow"].fixed_type.properties
    bpy.context.scene.kinflow.temperature = scene["temperature"].soft_max
    sizes = []
    for _ in range(20):
        bpy.ops.kinflow.sample()
        sizes.append(np.sqrt((latent.latent(armature) ** 2).mean()))
    assert np.mean(sizes) < 1.1
