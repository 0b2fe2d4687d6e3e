"""The command of a task's container, and what it reads and writes there."""
