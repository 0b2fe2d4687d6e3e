"""What happens inside a task's container."""
