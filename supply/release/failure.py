"""What a release may not be published with."""


class ReleaseError(Exception):
    """A check failed; the message says what is wrong with the release."""
