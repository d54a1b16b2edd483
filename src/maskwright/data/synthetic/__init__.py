"""The built-in data sets: drawn scenes of cells with exact masks, and cases of them.

The same arguments give the same files; whatever changes a pixel or a draw changes the scores that
the documentation states.
"""

from maskwright.data.synthetic.datasets import LABELS, draw_scene, write_cases, write_dataset
from maskwright.data.synthetic.synthetic_cells import Scene

__all__ = ["LABELS", "Scene", "draw_scene", "write_cases", "write_dataset"]
