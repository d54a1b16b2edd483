"""The verb `demo`: the main job on built-in data, from drawing it to a report.

There is one demonstration for masks and one for regions.
"""
