"""The tasks that only a cluster has: where no command waits for a run, the run has to say itself what it came to."""
