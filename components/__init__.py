"""The project's own TFX components: one folder each, with its spec, its executor and a core that needs no TFX."""
