"""From samples to batches: decoded arrays, joint augmentation, `tf.data`."""
