"""Statistics as they are compared: by feature."""

from __future__ import annotations

from pathlib import Path


def by_feature(path: Path) -> dict[str, object]:
    """The statistics of each feature in a file, which an engine writes in an order of its own.

    Histograms are left out: they come from sketches, and these from the order in which rows arrive, as the last digits
    do.
    """
    import tensorflow_data_validation as tfdv
    from google.protobuf import json_format

    (dataset,) = tfdv.load_stats_binary(str(path)).datasets
    named = {feature.path.step[0]: feature for feature in dataset.features}
    for feature in named.values():
        feature.num_stats.ClearField("histograms")
    return {"": dataset.num_examples, **{name: rounded(json_format.MessageToDict(named[name])) for name in named}}


def rounded(value: object) -> object:
    """Returns JSON with its numbers to nine digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value
