"""Whether this machine has an NVIDIA GPU, and TensorFlow the CUDA wheels that it needs to see one."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

CUDA_WHEELS = "pip install 'clickbait-tfx[gpu]', or the image that `make image GPU=1` builds"

_DEVICES = Path("/dev")


def has_nvidia_gpu() -> bool:
    """Returns whether a GPU is here, in a container one of its own, and CUDA_VISIBLE_DEVICES does not hide it."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1")
    return not hidden and any(_DEVICES.glob("nvidia[0-9]*"))


def has_cuda_wheels() -> bool:
    """Returns whether the extra `gpu` is installed, whose libraries TensorFlow finds by its own search path."""
    try:
        metadata.version("nvidia-cudnn-cu12")
    except metadata.PackageNotFoundError:
        return False
    return True


def explain_unseen_gpu() -> str:
    """Returns why TensorFlow does not see the GPU of this machine, and the way out."""
    rule = "This machine has an NVIDIA GPU that TensorFlow does not see, so training runs on the CPU."
    if has_cuda_wheels():
        return f"{rule} Its CUDA wheels are installed: the driver must be new enough for CUDA 12, see `nvidia-smi`."
    return f"{rule} TensorFlow's CUDA wheels must be installed: {CUDA_WHEELS}."
