"""The names that data, model and evaluation agree on. Imports nothing, so that everything may import it."""

TITLE = "title"
"""The text feature, bytes (UTF-8); also the input of the serving signature."""

LABEL = "label"
"""The label feature, int64: 1 clickbait, 0 news."""

PROBABILITY = "probability"
"""The model's output, float32 [None, 1]: the probability of clickbait."""

TRAIN_SPLIT = "train"
EVAL_SPLIT = "eval"

RAW_SIGNATURE = "serving_default"
"""Signature that takes texts: `title: string [None]`."""

EXAMPLES_SIGNATURE = "serving_examples"
"""Signature that takes serialized tf.Examples: `examples: string [None]`, for BulkInferrer and InfraValidator."""
