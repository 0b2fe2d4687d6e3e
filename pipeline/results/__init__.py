"""What runs left behind: their folders, verdicts, artifacts and reports."""
