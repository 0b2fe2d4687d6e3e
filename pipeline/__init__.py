"""The DAG and what runs it: configuration, wiring, the local runner, run folders and the command line."""
