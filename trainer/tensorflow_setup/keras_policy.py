"""Import before TensorFlow: `tf.keras` is Keras 2 (`tf_keras`) in this process and in its children.

`hub.KerasLayer` is a Keras 2 layer, while TensorFlow's `tf.keras` is Keras 3 unless this variable is set before
TensorFlow looks at it (https://www.tensorflow.org/guide/keras/migrating_to_keras_3).
"""

import os
import sys

if "tensorflow" in sys.modules and os.environ.get("TF_USE_LEGACY_KERAS") not in ("1", "true", "True"):
    raise RuntimeError(
        "The Keras policy must be set before TensorFlow is imported. Received: TF_USE_LEGACY_KERAS="
        f"{os.environ.get('TF_USE_LEGACY_KERAS')!r}. Import trainer.tensorflow_setup.keras_policy first, or "
        "set TF_USE_LEGACY_KERAS=1."
    )
os.environ["TF_USE_LEGACY_KERAS"] = "1"
