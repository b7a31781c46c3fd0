"""``auricle vocabulary``, for the command line."""

from collections.abc import Callable, Sequence

from auricle.cli.part import PartSpec


def _commands() -> Sequence[Callable[..., None]]:
    from auricle.vocabularies import command

    return (
        command.list_,
        command.show,
        command.set_,
        command.add,
        command.remove,
        command.default,
        command.delete,
    )


PART = PartSpec(
    group="vocabulary",
    help="List, show, store and delete the vocabularies that a server has for your key.",
    commands=_commands,
)
