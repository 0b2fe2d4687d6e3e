"""Faults of the data, as messages for the user."""


class InputError(Exception):
    """The input cannot be read as what it was said to be: no such file, column or format."""

    exit_code = 2


class DataRefused(Exception):  # noqa: N818  the contract's own words
    """The input was read and its rows are not fit for training."""

    exit_code = 3
