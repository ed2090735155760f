"""What the user can do something about."""


class SettingsError(Exception):
    """The command line, a file or the server's settings must change. The message says how."""
