"""Pictures of a body that need no window: what Blender shows, drawn in numpy."""

import bpy
import numpy as np

from kinflow.drawing.shading import draw_mesh

from . import body, frames

SIZE = 256  # px a side, as the asset browser keeps them
FINER = 2  # drawn so many times larger, then averaged
YAW = 0.5  # radians that the camera stands beside the body's front
MARGIN = 1.12
DISTANCE = 6.0  # body heights, so that little is foreshortened


def body_picture(
    context: bpy.types.Context, armature: bpy.types.Object, size: int = SIZE
) -> np.ndarray | None:
    """A body as Blender shows it, from before it and somewhat aside, on nothing.

    -> (size, size, 4) in 0..1, RGBA, the first row at the top; None without its mesh.
    """
    mesh = shown_mesh(context, armature)
    return None if mesh is None else draw(*mesh, size)


def shown_mesh(
    context: bpy.types.Context, armature: bpy.types.Object
) -> tuple[np.ndarray, np.ndarray] | None:
    """Vertices (V, 3) m in the body's frame, whatever the armature's place, and faces (F, 3)."""
    graph, mesh = context.evaluated_depsgraph_get(), body.mesh_of(armature)
    if mesh is None or mesh.name not in context.view_layer.objects:
        return None
    shown = mesh.evaluated_get(graph)
    data = shown.to_mesh()
    data.calc_loop_triangles()
    points = np.empty(3 * len(data.vertices), np.float32)
    data.vertices.foreach_get("co", points)
    faces = np.empty(3 * len(data.loop_triangles), np.int32)
    data.loop_triangles.foreach_get("vertices", faces)
    matrix = np.array(armature.matrix_world.inverted_safe() @ shown.matrix_world)
    shown.to_mesh_clear()
    if not len(faces) or not np.isfinite(points).all():
        return None
    placed = points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
    return placed @ frames.BODY_TO_BLENDER, faces.reshape(-1, 3)


def draw(vertices: np.ndarray, faces: np.ndarray, size: int = SIZE) -> np.ndarray:
    """A mesh that fills the picture. vertices (V, 3), Y up. -> (size, size, 4) RGBA in 0..1."""
    fine = FINER * size
    sine, cosine = np.sin(YAW), np.cos(YAW)
    turned = vertices @ np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]).T
    low, high = turned.min(0), turned.max(0)
    extent = float(max((high - low)[:2].max(), 1e-3))
    camera = (turned - 0.5 * (low + high)) / extent * (1, -1, -1) + (0, 0, DISTANCE)
    focal = fine * DISTANCE / MARGIN
    points = camera[:, :2] / camera[:, 2:] * focal + 0.5 * fine
    ground = np.zeros((fine, fine, 3), np.uint8)
    image, raster = draw_mesh(ground, camera, faces, points, 1.0)
    colours = np.concatenate((image / 255.0, raster.mask[..., None]), -1)
    mean = colours.reshape(size, FINER, size, FINER, 4).mean((1, 3))
    # colours of the covered part alone: the edge does not darken
    mean[..., :3] /= np.maximum(mean[..., 3:], 1e-6)
    return mean.astype(np.float32)


def set_preview(data: bpy.types.ID, picture: np.ndarray) -> None:
    """Makes a picture (H, W, 4), the first row at the top, the preview that goes into the file."""
    preview = data.preview_ensure()
    height, width = picture.shape[:2]
    preview.image_size = (width, height)
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(picture[::-1]).ravel())
