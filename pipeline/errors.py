"""What a user can cause, and the exit codes `agegender` answers with."""

EXIT_PUBLISHED = 0  # published, or the winner is already serving
EXIT_ERROR = 1
EXIT_USAGE = 2  # wrong usage or settings
EXIT_NO_WINNER = 3  # ran whole, but no candidate passed
EXIT_DATA_GATE = 4


class UserError(ValueError):
    """A mistake or circumstance the user can mend; its message is one line that says how."""

    def __init__(self, message: str, exit_code: int = EXIT_ERROR) -> None:
        super().__init__(message)
        self.exit_code = exit_code
