"""DICOM by pydicom: files, single images, and the pixels of frames."""
