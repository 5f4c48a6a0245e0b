"""The embedded server of TensorFlow Serving's protocol, gRPC and REST."""
