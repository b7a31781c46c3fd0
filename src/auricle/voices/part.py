"""Known voices, for the command line."""

from collections.abc import Callable, Sequence

from auricle.cli.part import PartSpec


def _commands() -> Sequence[Callable[..., None]]:
    from auricle.voices import command

    return (
        command.known,
        command.add,
        command.remember,
        command.rename,
        command.delete,
        command.export,
        command.restore,
    )


PART = PartSpec(
    group="voices",
    help="Store, list and delete the voices of people whom a server names in transcripts.",
    commands=_commands,
)
