"""A compiled spec, run on this machine as the driver and the launcher of Kubeflow Pipelines v2 would run it."""

NOT_EMULATED = (
    "pods, images and pulls",
    "CPU, memory and GPU limits",
    "service accounts and secrets",
    "Argo's scheduling, timeouts and evictions",
    "the UI, ML Metadata's server and the API server",
    "conditions, loops, importers, inner DAGs, exit handlers and the workspace volume",
)
