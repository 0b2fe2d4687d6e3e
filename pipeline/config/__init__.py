"""The configuration of a run: its settings, their sources, and the paths of a run."""
