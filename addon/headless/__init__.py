"""The add-on without a window: `blender --background` and `blender --command`."""
