"""Audit of a data set before training: files, masks, copies, class balance."""
