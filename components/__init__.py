"""The project's own TFX components: one folder each, with its spec, its executor and a core that needs no TFX."""

from typing import Any

import trainer.tensorflow_setup.keras_policy  # noqa: F401  before any of them imports TensorFlow
from components import lean_tfx  # noqa: F401  before any of them imports TFX

Properties = dict[str, Any]
"""The parameters of an execution, as TFX hands them to an executor."""
