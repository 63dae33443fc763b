"""What a fit is as Blender data."""
