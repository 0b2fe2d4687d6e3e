"""The tasks that only a cluster has: where no command waits for a run, the run itself has to report its outcome."""
