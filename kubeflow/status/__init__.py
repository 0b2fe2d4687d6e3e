"""`clickbait kubeflow status`: the tasks of a run on a cluster, and why each was or was not taken from the cache."""
