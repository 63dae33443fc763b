"""Words of the panels: of Blender and of animators, not ours."""

import re
from types import SimpleNamespace

import bpy
import pytest
from conftest import put_fits
from drawn_panels import Layout, drawn

from addon import preferences, properties
from addon.engine import installation
from addon.operators import _CLASSES as OPERATORS
from addon.ui import _CLASSES as PANELS

# what only who has read the method knows
OURS = (
    r"iteration|energ|made with|frames a photo|hypothes|sigma|latent|encode|decode|prior's|"
    r"temperature|\bbetas?\b|\bflow\b|solver|losses|minim[au]|observation|axes|standard deviation"
)
BLENDERS = {"rna_type", "name", "filepath"}


def shown_type(cls):
    """What Blender shows of a class: of an operator that what its buttons show."""
    if issubclass(cls, bpy.types.Operator):
        return getattr(bpy.ops.kinflow, cls.bl_idname.split(".")[1]).get_rna_type()
    return cls.bl_rna


def texts_of(cls):
    """Labels and tooltips of a class and its properties, by what they belong to."""
    found = {}
    if not issubclass(cls, bpy.types.PropertyGroup):  # whose docstring is not shown
        found[cls.__name__] = f"{getattr(cls, 'bl_label', '')} {shown_type(cls).description}"
    for name, prop in shown_type(cls).properties.items():
        if name in BLENDERS or prop.is_hidden or (prop.name, prop.description) == (name, ""):
            continue
        found[f"{cls.__name__}.{name}"] = f"{prop.name} {prop.description}"
        for item in getattr(prop, "enum_items", ()):
            found[f"{cls.__name__}.{name}.{item.identifier}"] = f"{item.name} {item.description}"
    return found


def all_texts():
    classes = (*OPERATORS, *PANELS, *properties._CLASSES, preferences.KinflowPreferences)
    return {key: text for cls in classes for key, text in texts_of(cls).items()}


def test_no_label_and_no_tooltip_has_words_of_ours():
    bad = {key: text for key, text in all_texts().items() if re.search(OURS, text, re.IGNORECASE)}
    assert not bad


def test_every_operator_and_every_button_of_the_preferences_has_a_tooltip():
    for cls in OPERATORS:
        assert shown_type(cls).description, cls
    for name in preferences.KinflowPreferences.__annotations__:
        assert preferences.KinflowPreferences.bl_rna.properties[name].description, name


def test_the_photos_panel_has_one_folder_to_click(fitted_samples):
    from addon.ui import photo_panel

    put_fits(*fitted_samples["portrait"])
    layout = drawn(photo_panel.KINFLOW_PT_photo)
    paths = [p for owner, p in layout.properties if is_path(owner, p)]
    assert layout.icons.count("FILEBROWSER") + len(paths) == 1


def is_path(owner, name):
    return owner.bl_rna.properties[name].subtype in ("FILE_PATH", "DIR_PATH")


@pytest.mark.parametrize("words", ["converged", "max_iterations"])
def test_after_a_fit_the_panel_tells_the_error_in_words_and_not_the_solvers_state(
    fitted_samples, words
):
    from addon.ui import fit_panel

    rig = put_fits(*fitted_samples["portrait"])[0]
    rig.kinflow.status = words
    said = " ".join(drawn(fit_panel.KINFLOW_PT_fit).words)
    assert "Follows the photo closely" in said and words.replace("_", " ") not in said
    assert not re.search(OURS, said, re.IGNORECASE)


def test_a_fits_message_says_what_was_done_without_numbers_of_the_solver(fitted_samples):
    put_fits(*fitted_samples["portrait"])
    message = bpy.context.scene.kinflow.message
    assert message.startswith("Fitted") and not re.search(r"\d", message)


def test_why_an_installation_failed_is_whole_in_the_preferences(monkeypatch):
    error = "A step failed: " + "words of pip that go on and on, " * 8
    hint = "Copy the diagnostics for the details."
    progress = installation.Progress(error=error.strip(), hint=hint)
    ended = SimpleNamespace(progress=progress, ended=True)
    monkeypatch.setattr(installation, "current", ended)
    layout = Layout()
    shown = SimpleNamespace(
        layout=layout,
        engine_python="",
        install_kind="cpu",
        bl_rna=preferences.KinflowPreferences.bl_rna,
    )
    system = SimpleNamespace(ui_scale=1.0)
    context = SimpleNamespace(
        region=SimpleNamespace(width=400), preferences=SimpleNamespace(system=system)
    )
    shown._draw_install = lambda *a: preferences.KinflowPreferences._draw_install(shown, *a)
    monkeypatch.setattr(preferences.sections, "draw_shortcuts", lambda *a: None)
    monkeypatch.setattr(preferences.sections, "draw_pose_library", lambda *a: None)
    preferences.KinflowPreferences.draw(shown, context)
    said = " ".join(layout.words)
    assert error.strip() in said and hint in said
    assert max(map(len, layout.words)) < 70
