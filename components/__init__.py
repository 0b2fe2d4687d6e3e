"""The project's own TFX components: one folder each, with its spec, its executor and a core that needs no TFX."""

from components import lean_tfx  # noqa: F401  before any of them imports TFX
