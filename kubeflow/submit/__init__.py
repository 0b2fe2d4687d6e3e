"""`clickbait kubeflow submit`: a compiled spec on a cluster, through the API server of Kubeflow Pipelines (v2beta1)."""
