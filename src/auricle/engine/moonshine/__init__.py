"""Moonshine on onnxruntime."""
