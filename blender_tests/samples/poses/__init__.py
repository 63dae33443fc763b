"""The poses that the add-on carries, as what they ask of the body: the prior does the rest.

Places are metres in the body's frame: x to its left, y up from the floor, z to its front. A pelvis
at 0.95 stands, an ankle at 0.08 has its sole on the floor.
"""

from . import low, moving, upright
from .recipe import GUIDE, GUIDES, Recipe

RECIPES = (*upright.RECIPES, *moving.RECIPES, *low.RECIPES)

__all__ = ["GUIDE", "GUIDES", "RECIPES", "Recipe"]
