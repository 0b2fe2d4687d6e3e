"""The error of resolving and checking encoders."""


class EncoderError(Exception):
    """An encoder cannot be resolved or used; the message is for the user and has the way out.

    The command line prints it without a traceback and ends with `exit_code`.
    """

    exit_code = 2
