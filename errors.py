"""The one exception that means: the user can mend this."""


class UserError(Exception):
    """Wrong input: a flag, a path, a file or a name.

    The message is a single line that says what was got, what was expected and what
    to do about it. `config.app.run` prints it without a traceback and exits with
    `config.app.EXIT_USER_ERROR`.
    """
