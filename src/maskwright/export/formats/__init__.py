"""Formats of exported networks: a module for each engine, and their table.

A new format is a module here, a row of `table.FORMATS` and a name in `maskwright.types.Format`.
"""
