"""Models in ONNX that sherpa-onnx runs."""
