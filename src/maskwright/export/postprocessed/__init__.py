"""ONNX files that hold scaling of pixels and decisions as well, for programs that know no cards."""
