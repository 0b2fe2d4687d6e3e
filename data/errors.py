"""What can go wrong between the user's data and the pipeline."""


class DataError(Exception):
    """A message for the user about data that cannot be had or read; the command line shows it without a traceback.

    The message names the rule, what was received and the way out.
    """

    exit_code = 2
