"""One z-buffer for visibility, part maps, masks, overlays and contact sheets (numpy and OpenCV)."""

from .shading import draw_mesh, part_colours
from .sheets import contact_sheet
from .zbuffer import Raster, part_map, rasterise, visible_vertices

__all__ = [
    "Raster",
    "contact_sheet",
    "draw_mesh",
    "part_colours",
    "part_map",
    "rasterise",
    "visible_vertices",
]
