"""TF Serving's wire protocol without TensorFlow: messages, methods and tensors."""

from __future__ import annotations

from pathlib import Path

PROTOCOL_FILE = Path(__file__).with_name("protocol.pb")
"""The protocol's descriptors."""
