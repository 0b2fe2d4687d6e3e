"""The same DAG on Kubeflow Pipelines: compiled, rehearsed on this machine, submitted."""
