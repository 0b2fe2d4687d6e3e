"""The results of runs: their folders, verdicts, artifacts and reports."""
