"""Notifies a webhook of runs that ended: beside the pipeline, so that neither is the cause of the other's failure."""
