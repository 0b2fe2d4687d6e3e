"""What goes on while a model is fitted: schedule, checkpoints, divergence, progress."""
