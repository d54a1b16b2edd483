"""Statistics of a data set, measured in its training images.

A new statistic is a field of `SampleStats` or `ClassStats` and of `DatasetStats`.
"""
