"""The exit code comes through the cluster in the termination message."""

from __future__ import annotations

import pytest

from kubeflow.container.exit_codes import read_exit_code, termination_message


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 143])
def test_what_is_written_is_read_whatever_is_around_it(code):
    message = termination_message(code, "because")
    assert read_exit_code(f"Error (exit code 1): {message}\n") == code
    assert message.endswith(": because")


def test_a_message_of_somebody_else_names_none():
    assert read_exit_code("OOMKilled (exit code 137)") is None


def test_kubernetes_keeps_all_of_it():
    message = termination_message(3, "ü" * 5000)
    assert len(message.encode()) <= 4096
    assert message.endswith("ü...")
    assert read_exit_code(message) == 3
