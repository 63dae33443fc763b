"""What a panel draws in the window's viewport, noted instead of shown."""

from types import SimpleNamespace

import bpy

from addon.scene.viewport import viewports


class Layout:
    """Notes operators by name, properties by owner and name, labels by their words, and icons."""

    def __init__(self):
        self.operators, self.properties, self.words, self.icons = [], [], [], []

    def __getattr__(self, name):
        return lambda *a, **k: self

    def operator(self, name, icon="NONE", **options):
        self.operators.append(name)
        self.words.append(options.get("text", ""))
        self.icons.append(icon)
        return SimpleNamespace()

    def prop(self, owner, name, text=None, **options):
        self.properties.append((owner, name))
        self.words.append(owner.bl_rna.properties[name].name if text is None else text)

    def label(self, text="", icon="NONE", **options):
        self.words.append(text)
        self.icons.append(icon)


def drawn(panel) -> Layout:
    layout = Layout()
    here = viewports(bpy.context.window_manager.windows[0])[0]
    with bpy.context.temp_override(window=here.window, area=here.area, region=here.region):
        panel.draw(SimpleNamespace(layout=layout), bpy.context)
    return layout
