"""The verb `search`: many short runs with settings that Optuna proposes.

A setting becomes searchable by an entry in `space.SPACE`.
"""
