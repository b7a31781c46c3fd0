"""``auricle doctor``: check that this machine meets the requirements of a server."""

from typing import Annotated

import typer
from rich.text import Text

from auricle.cli.support.console import results
from auricle.config.settings import Settings


def doctor(
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Also check the GPU and CUDA's libraries.")
    ] = False,
) -> None:
    """Check this machine and the settings, and show what to do about problems.

    The exit code is 1 if there is an error, and 0 if all is well or there are only warnings.
    """
    from auricle.cli.doctor.checks import CHECKS, Level, check_gpu

    styles = {Level.OK: "green", Level.WARNING: "yellow", Level.WRONG: "red"}
    settings = Settings.load()
    wanted = [*CHECKS]
    if gpu or settings.model.device != "cpu":
        wanted.append(check_gpu)
    is_usable = True
    for check in wanted:
        found = check(settings)
        level = Text(f"{found.level.value:9}", style=styles[found.level])
        results.print(Text.assemble(level, f"{found.subject:10}", found.text))
        if found.advice:
            results.print(f"{'':19}→ {found.advice}", style="bold")
        is_usable = is_usable and found.level is not Level.WRONG
    if not is_usable:
        raise typer.Exit(1)
