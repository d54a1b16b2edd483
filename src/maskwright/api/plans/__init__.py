"""The verb `plan`, and the comparison of plans by cross-validation.

The rules of a plan are in `maskwright.planning`.
"""
