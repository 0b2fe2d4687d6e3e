"""`--without-tensorflow` leaves out each file, and each test, that comes to import TensorFlow."""

from __future__ import annotations

import sys

import pytest

_HEAVY = "tensorflow"


class _Refusal:
    """Ends the test, or the collection of the file, that asks for TensorFlow.

    By the exception of pytest's, which no `except Exception` of what is tested takes for an installation without it.
    """

    @staticmethod
    def find_spec(name: str, path=None, target=None) -> None:
        if name == _HEAVY:
            pytest.skip("needs TensorFlow", allow_module_level=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-tensorflow", action="store_true", help="leave out what imports TensorFlow")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--without-tensorflow"):
        assert _HEAVY not in sys.modules, "a plugin or a conftest.py has imported it"
        sys.meta_path.insert(0, _Refusal)
