"""Single objects: found in images, told apart where they touch, and how that is learned."""

from maskwright.objects.finder import ObjectFinder
from maskwright.objects.splitting import Split, split

__all__ = ["ObjectFinder", "Split", "split"]
