"""Writers of volumes and stacks: NIfTI, nnU-Net, DICOM SEG and arrays."""
