"""Add-on data: people on the photo's collection; latent and shape on each body."""

from __future__ import annotations

import bpy

from .scene import body, choice, hand_posed, latent, limbs, pins, pose, settle, touches

SLIDERS = 12


class KinflowKeypoint(bpy.types.PropertyGroup):
    """One keypoint on the photo; `name` is the inherited name."""

    x: bpy.props.FloatProperty(
        name="X", description="From the left of the photo, in its pixels", subtype="PIXEL"
    )
    y: bpy.props.FloatProperty(
        name="Y", description="From the top of the photo, in its pixels", subtype="PIXEL"
    )
    confidence: bpy.props.FloatProperty(
        name="Confidence", description="How sure this point is, from 0 to 1", min=0.0, max=1.0
    )
    enabled: bpy.props.BoolProperty(
        name="Use", description="Fit the body to this point", default=True
    )


class KinflowContact(bpy.types.PropertyGroup):
    """What a person touches the floor with, and keeps there, in frames of the timeline."""

    contact: bpy.props.EnumProperty(name="Contact", items=touches.ITEMS)
    first: bpy.props.IntProperty(name="First Frame")
    last: bpy.props.IntProperty(name="Last Frame")


class KinflowPerson(bpy.types.PropertyGroup):
    """Somebody whom the detector found.

    Of a clip: shown_row, whose keypoints these are (-1: of none); version of its results; contacts
    that are pinned; marks, when it touches the floor, as JSON, and whether markers show them.
    """

    uid: bpy.props.StringProperty()
    keypoint_set: bpy.props.StringProperty(default="blazepose33")
    keypoints: bpy.props.CollectionProperty(type=KinflowKeypoint)
    box: bpy.props.FloatVectorProperty(size=4)
    confidence: bpy.props.FloatProperty()
    body: bpy.props.PointerProperty(type=bpy.types.Object)
    shown_row: bpy.props.IntProperty(default=-1)
    version: bpy.props.IntProperty()
    contacts: bpy.props.CollectionProperty(type=KinflowContact)
    marks: bpy.props.StringProperty()
    has_markers: bpy.props.BoolProperty()


class KinflowHypothesis(bpy.types.PropertyGroup):
    """A minimum of the fit: parameters as JSON; the best is the one of the least energy."""

    energy: bpy.props.FloatProperty()
    error_px: bpy.props.FloatProperty(name="Keypoint Error")
    data: bpy.props.StringProperty()


def _person_shown(self: bpy.types.PropertyGroup) -> int:
    current = choice.chosen(bpy.context)
    return current.index if current.photo == self.id_data else -1


def _person_chosen(self: bpy.types.PropertyGroup, index: int) -> None:
    choice.choose_person(bpy.context, self.id_data, index)


class KinflowPhoto(bpy.types.PropertyGroup):
    """On every collection, empty unless `is_photo`. clip_length: in frames, 0 for a photo."""

    is_photo: bpy.props.BoolProperty()
    clip_length: bpy.props.IntProperty()
    path: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH")
    image: bpy.props.PointerProperty(type=bpy.types.Image)
    camera: bpy.props.PointerProperty(type=bpy.types.Object)
    camera_json: bpy.props.StringProperty()
    place: bpy.props.FloatProperty(
        name="Place", description="Where along X the photo's camera and people are", unit="LENGTH"
    )
    people: bpy.props.CollectionProperty(type=KinflowPerson)
    active_person: bpy.props.IntProperty(
        name="Person",
        description="Whose keypoints and body are shown",
        get=_person_shown,
        set=_person_chosen,
    )
    last_person: bpy.props.IntProperty(min=0)


class KinflowScene(bpy.types.PropertyGroup):
    """The photo that is shown, and how the panels work."""

    photo: bpy.props.PointerProperty(
        type=bpy.types.Collection, name="Photo", poll=lambda _, found: found.kinflow.is_photo
    )
    use_parts: bpy.props.BoolProperty(
        name="Use Silhouette",
        description="Fit the body's outline to the person mask besides the keypoints",
        default=True,
    )
    temperature: bpy.props.FloatProperty(
        name="Variety",
        description="How far samples go from the mean pose: at 1 as far as people do",
        default=0.8,
        min=0.0,
        soft_max=1.0,
        max=2.0,
    )
    show_keypoints: bpy.props.BoolProperty(
        name="Show Keypoints",
        description="Draw the active person's keypoints over the photo, to be grabbed there",
        default=True,
    )
    page: bpy.props.IntProperty(
        name="Page",
        description="Which of the further directions are shown",
        default=1,
        min=1,
        max=len(latent.PAGE_NAMES),
    )
    seed: bpy.props.IntProperty(
        name="Seed",
        description="The same number gives the same sample; it moves on with every sample",
        min=0,
    )
    contact: bpy.props.EnumProperty(
        name="Contact",
        description="What stays on the floor in these frames",
        items=touches.ITEMS,
    )
    job_text: bpy.props.StringProperty()
    job_fraction: bpy.props.FloatProperty(min=0.0, max=1.0, subtype="FACTOR")
    message: bpy.props.StringProperty()


for _limb in limbs.LIMBS:
    KinflowScene.__annotations__[f"lock_{_limb}"] = bpy.props.BoolProperty(
        name=limbs.label(_limb), description="Leave this limb as it is when the rest is sampled"
    )


def _blend_update(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    if self.is_body:
        latent.blend_stored(self.id_data)
        settle.hold(self.id_data)


def _latent_update(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    if pose.follows_properties(self.id_data):
        body.own_data(self.id_data)
        hand_posed.before_slider(self.id_data)
        latent.pose_from_latent(self.id_data)
        settle.hold(self.id_data)


def _betas_update(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    if pose.follows_properties(self.id_data):
        settle.ask_for_shape(self.id_data)


class KinflowPin(bpy.types.PropertyGroup):
    """A handle that is pinned, in the armature's space."""

    joint: bpy.props.EnumProperty(name="Handle", items=pins.ITEMS)
    location: bpy.props.FloatVectorProperty(name="Location", size=3, subtype="XYZ", unit="LENGTH")
    use_rotation: bpy.props.BoolProperty(
        name="Turn", description="Keep also how this point is turned"
    )
    rotation: bpy.props.FloatVectorProperty(
        name="Rotation", size=4, subtype="QUATERNION", default=(1.0, 0.0, 0.0, 0.0)
    )


class KinflowBody(bpy.types.PropertyGroup):
    """On every object, empty unless `is_body`. The latent, in sigmas, is the truth of the pose."""

    is_body: bpy.props.BoolProperty()
    mesh: bpy.props.PointerProperty(type=bpy.types.Object)
    photo: bpy.props.PointerProperty(type=bpy.types.Collection)
    prior: bpy.props.StringProperty(default="light")
    prior_checksum: bpy.props.StringProperty()
    betas: bpy.props.FloatVectorProperty(
        name="Shape",
        description="0 is the average body; beyond 3 hardly anybody is",
        size=10,
        soft_min=-3.0,
        soft_max=3.0,
        min=-5.0,
        max=5.0,
        options=set(),
        override={"LIBRARY_OVERRIDABLE"},
        update=_betas_update,
    )
    stored_a: bpy.props.StringProperty()
    stored_b: bpy.props.StringProperty()
    blend: bpy.props.FloatProperty(
        name="Blend",
        description="From the stored pose A to the stored pose B, by believable poses",
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        update=_blend_update,
    )
    pins: bpy.props.CollectionProperty(type=KinflowPin)
    auto_pin_feet: bpy.props.BoolProperty(
        name="Feet Stay",
        description="While something else is pulled, feet on the ground stay where they are",
        default=True,
    )
    use_floor: bpy.props.BoolProperty(
        name="Keep above Floor",
        description="Pulls take neither soles, hands, knees nor seat below Z = 0",
        default=True,
    )
    sample_with_pins: bpy.props.BoolProperty(
        name="Sample with Pins",
        description="Samples have the pinned points where they are",
        default=True,
    )
    pull_message: bpy.props.StringProperty()
    hypotheses: bpy.props.CollectionProperty(type=KinflowHypothesis)
    active_hypothesis: bpy.props.IntProperty()
    error_px: bpy.props.FloatProperty()
    status: bpy.props.StringProperty()


for _page in latent.PAGE_NAMES:
    KinflowBody.__annotations__[_page] = bpy.props.FloatVectorProperty(
        name="Pose",
        description="Directions in which people's poses differ: beyond 2.5 hardly anybody goes",
        size=latent.PAGE_SIZE,
        soft_min=-2.5,
        soft_max=2.5,
        min=-100.0,
        max=100.0,
        options=set(),
        override={"LIBRARY_OVERRIDABLE"},
        update=_latent_update,
    )

_CLASSES = (
    KinflowKeypoint,
    KinflowContact,
    KinflowPerson,
    KinflowHypothesis,
    KinflowPhoto,
    KinflowScene,
    KinflowPin,
    KinflowBody,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Collection.kinflow = bpy.props.PointerProperty(type=KinflowPhoto)
    bpy.types.Scene.kinflow = bpy.props.PointerProperty(type=KinflowScene)
    bpy.types.Object.kinflow = bpy.props.PointerProperty(
        type=KinflowBody, override={"LIBRARY_OVERRIDABLE"}
    )


def unregister() -> None:
    del bpy.types.Object.kinflow
    del bpy.types.Scene.kinflow
    del bpy.types.Collection.kinflow
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
