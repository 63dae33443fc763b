"""A photo's small picture, kept in the file with the photo."""

import bpy
import bpy.utils.previews
import numpy as np


def keep(image: bpy.types.Image) -> None:
    """Makes the photo's thumbnail the image's preview, which is saved with it.

    Left to Blender, a preview is drawn when it is first shown, from the whole photo, and is not in
    the file. Nothing happens where Blender cannot read the photo.
    """
    kind = "MOVIE" if image.source == "MOVIE" else "IMAGE"
    collection = bpy.utils.previews.new()
    try:
        small = collection.load("photo", bpy.path.abspath(image.filepath), kind)
        size = tuple(small.image_size)
        if not min(size):
            return
        pixels = np.empty(4 * size[0] * size[1], np.float32)
        small.image_pixels_float.foreach_get(pixels)
    finally:
        bpy.utils.previews.remove(collection)
    preview = image.preview_ensure()
    preview.image_size = size
    preview.image_pixels_float.foreach_set(pixels)
