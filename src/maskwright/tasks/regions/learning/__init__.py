"""From labeled regions to batches of bags, and the learning task of a classifier.

What is decided is a `Labeling`; what one decision is made on is a `Bag`.
"""
