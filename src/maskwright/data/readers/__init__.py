"""Readers: where a data set lies, what is stated of it, and which samples its files make."""
