"""Work that a network does, counted by TensorFlow."""

from typing import Any


def multiply_adds(model: Any, shape: tuple[int, ...]) -> int:
    """Multiplications with their additions of a Keras model on images `(b, h, w, c)`."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    run = tf.function(lambda images: model(images, training=False), autograph=False)
    frozen = convert_variables_to_constants_v2(run.get_concrete_function(tf.TensorSpec(shape)))
    profiler = tf.compat.v1.profiler
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    counted = profiler.profile(frozen.graph, options=options.with_empty_output().build())
    return int(counted.total_float_ops // 2)
