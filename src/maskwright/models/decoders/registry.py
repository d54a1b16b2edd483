"""Decoders by name, and what their papers weigh their auxiliary losses with."""

from collections.abc import Callable

from maskwright.models.decoders.deeplab import deeplab_v3, deeplab_v3_plus, lraspp
from maskwright.models.decoders.output import Decoded
from maskwright.models.decoders.pyramids import fpn, pspnet, segformer
from maskwright.models.decoders.unet import attention_unet, light, linknet, resunet, unet
from maskwright.models.decoders.unet_plus_plus import unet_3plus, unet_plus_plus

_ALL = (
    *(light, unet, attention_unet, unet_plus_plus, resunet, unet_3plus, linknet),
    *(fpn, pspnet, deeplab_v3, deeplab_v3_plus, segformer, lraspp),
)
DECODERS: dict[str, Callable[..., Decoded]] = {decoder.__name__: decoder for decoder in _ALL}

SUPERVISION: dict[str, float] = {"unet_plus_plus": 1.0, "unet_3plus": 1.0, "pspnet": 0.4}
"""Weight of each auxiliary loss in the papers that have them, by decoder."""
