"""Parts of a classifier of regions: its outputs per region, its two halves, its measures."""

import keras
import numpy as np

from maskwright.errors import DataError, ModelError
from maskwright.models.pooling import Standardize

_CONSTANT = 1e-6  # deviation of a measure, relative to its size, below which it is constant


def with_weights(model: keras.Model) -> keras.Model:
    """The same classifier, which gives the share and the logit of each region too: `logits (b, 1)`;
    `weights (b, n)`, whose rows sum to 1; and `region_logits (n, 1)`, each region decided alone.
    """
    pooling = model.get_layer("pooling")
    outputs = {
        "logits": model.outputs[0],
        "weights": pooling.output[1],
        "region_logits": pooling.input[1],
    }
    return keras.Model(model.inputs, outputs)


def parts(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """A classifier in two: one looks at regions, any few at a time, the other joins them.

    Returns:
        Model of the inputs but for `bags` to `embeddings (n, d)` and `region_logits (n, 1)`, and
        model of both and `bags` to `logits (b, 1)` and `weights (b, n)`.
    """
    pooling = model.get_layer("pooling")
    embeddings, region_logits, _ = pooling.input
    looked = [tensor for tensor in model.inputs if tensor.name != "bags"]
    embed = keras.Model(looked, {"embeddings": embeddings, "region_logits": region_logits})
    given = {
        "embeddings": keras.Input((embeddings.shape[-1],), name="embeddings"),
        "region_logits": keras.Input((1,), name="region_logits"),
        "bags": keras.Input((None,), name="bags"),
    }
    pooled, weights = pooling(*given.values())
    # The reference pools logits, the others what is still to be decided on.
    decided_before = pooling.output[0] is model.outputs[0]
    logits = pooled if decided_before else model.get_layer("decision")(pooled)
    return embed, keras.Model(given, {"logits": logits, "weights": weights})


def adapt_measures(model: keras.Model, vectors: np.ndarray) -> np.ndarray:
    """Set what the model standardizes measures by to the mean and deviation of some regions.

    Args:
        model: A classifier with measures.
        vectors: Measures of the regions, `(n, m)`; one that hardly varies gives 0 from then on.

    Returns:
        The vectors as the model then sees them, `(n, m)`: what a logistic regression for
        `start_from_measures` is fitted on.

    Raises:
        ModelError: If the model takes no measures, or another number of them.
        DataError: If there are no vectors, or one is not finite.
    """
    layer = _measuring(model)
    values = np.asarray(vectors, np.float64)
    expected = int(layer.mean.shape[0])
    if values.ndim != 2 or values.shape[1] != expected:
        raise ModelError(f"The model takes {expected} measures; received {values.shape}.")
    if not len(values) or not np.isfinite(values).all():
        raise DataError("Expected finite measures of one region or more; check the masks.")
    mean, std = values.mean(0), values.std(0)
    std[std <= _CONSTANT * np.maximum(np.abs(mean), 1)] = 0
    layer.mean.assign(mean.astype(np.float32))
    layer.std.assign(std.astype(np.float32))
    return keras.ops.convert_to_numpy(layer(values.astype(np.float32)))


def start_from_measures(model: keras.Model, kernel: np.ndarray, bias: float) -> None:
    """Set the part of the decision that comes from measures; that of the pixels stays.

    Args:
        model: A classifier with measures.
        kernel: Weight of each standardized measure in the logit, `(m,)`.
        bias: Of the logit.

    Raises:
        ModelError: If the model takes no measures, or another number of them.
    """
    expected = int(_measuring(model).mean.shape[0])
    values = np.asarray(kernel, np.float32)
    if values.shape != (expected,):
        raise ModelError(f"The model takes {expected} measures; received {values.shape}.")
    decide = model.get_layer("decision")
    whole = keras.ops.convert_to_numpy(decide.kernel).copy()
    whole[-expected:, 0] = values
    decide.kernel.assign(whole)
    decide.bias.assign(np.array([bias], np.float32))


def _measuring(model: keras.Model) -> Standardize:
    for layer in model.layers:
        if isinstance(layer, Standardize):
            return layer
    raise ModelError("Expected a classifier with measures; this one takes none.")
