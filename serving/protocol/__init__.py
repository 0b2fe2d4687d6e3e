"""TF Serving's wire protocol without TensorFlow: messages, methods and tensors."""
