"""From instance masks to batches of targets, the learning tasks.

What a kind of model learns is a `Target` of `batches` with its learning task in `objective`.
"""
