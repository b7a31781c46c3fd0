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
    from auricle.cli.doctor.checks import CHECKS, Level, check_gpu, check_models, of_default_model

    styles = {Level.OK: "green", Level.WARNING: "yellow", Level.WRONG: "red"}
    settings = Settings.load()
    checks = [*CHECKS]
    if gpu or settings.model.device != "cpu":
        checks.append(check_gpu)
    is_usable = True
    default = of_default_model(settings)
    for check in checks:
        finding = check(settings if check is check_models else default)
        level = Text(f"{finding.level.value:9}", style=styles[finding.level])
        results.print(Text.assemble(level, f"{finding.subject:10}", finding.text))
        if finding.advice:
            results.print(f"{'':19}→ {finding.advice}", style="bold")
        is_usable = is_usable and finding.level is not Level.WRONG
    if not is_usable:
        raise typer.Exit(1)
