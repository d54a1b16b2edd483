"""Readers of volumes and stacks, which become slices with spacing: NIfTI, DICOM, arrays."""
