"""The one error that encoder resolution and checking raise."""


class EncoderError(Exception):
    """An encoder cannot be had or cannot be used; the text is for the user and says the way out.

    The command line prints it without a traceback and ends with `exit_code`.
    """

    exit_code = 2
