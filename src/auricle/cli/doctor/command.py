"""``auricle doctor``: check that this machine meets the requirements of a server."""

from collections.abc import Iterable
from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from auricle.cli.part import find_parts
from auricle.cli.support.console import errors, results
from auricle.cli.support.finding import LIMIT_S, Finding, Level
from auricle.cli.support.setting_options import setting
from auricle.config.settings import Settings


def doctor(
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Also check the GPU and CUDA's libraries.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="Try only this model: load it and transcribe a clip. The name of a served model, "
            "or ENGINE:MODEL.",
        ),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(
            "--client",
            metavar="NAME",
            help="Try only a server: send speech to URL as this program does, such as "
            "`open-webui`; an unknown name lists all.",
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            min=1,
            help="Longest wait for each answer: of the libraries that are loaded for a check, and "
            "of the server with --client. Slow machines need more.",
        ),
    ] = LIMIT_S,
    api_key: Annotated[str | None, setting("api_key")] = None,
    url: Annotated[
        str | None,
        typer.Argument(metavar="URL", help="With --client: the URL configured in the program."),
    ] = None,
) -> None:
    """Check this machine and the settings, and show what to do about problems.

    --timeout limits the wait for each answer, which slow machines may need to raise. A model that
    is tried with --model has the limits of a server: AURICLE_START_BUDGET_S to load, and two
    minutes for a sentence.

    The exit code is 1 if there is an error, and 0 if all is well or there are only warnings.
    """
    from auricle.cli.doctor.checks import (
        CHECKS,
        PROBES,
        check_gpu,
        check_models,
        checks_of_apis,
        of_default_model,
    )

    if (client is None) != (url is None) or (client is not None and model is not None):
        raise typer.BadParameter("--client requires a URL, and excludes --model.")
    styles = {Level.OK: "green", Level.WARNING: "yellow", Level.WRONG: "red"}
    settings = Settings.load({"api_key": api_key})
    checks = [partial(check, limit_s=timeout) if check in PROBES else check for check in CHECKS]
    checks += [check for part in find_parts() for check in part.checks()]
    checks += checks_of_apis(settings)
    if gpu or settings.model.device != "cpu":
        checks.append(check_gpu)
    default = of_default_model(settings)
    findings: Iterable[Finding] = (
        check(settings if check is check_models else default) for check in checks
    )
    if model is not None:
        from auricle.cli.doctor.model import try_model
        from auricle.system.logs import configure_logging

        configure_logging("error")
        with errors.status("Trying the model…"):  # shown on terminals only
            findings = try_model(settings, model)
    elif client is not None and url is not None:
        from auricle.cli.doctor.client.check import try_client

        findings = try_client(settings, client, url, timeout)
    is_usable = True
    for finding in findings:
        level = Text(f"{finding.level.value:9}", style=styles[finding.level])
        results.print(Text.assemble(level, f"{finding.subject:10}", finding.text))
        if finding.advice:
            results.print(f"{'':19}→ {finding.advice}", style="bold")
        is_usable = is_usable and finding.level is not Level.WRONG
    if not is_usable:
        raise typer.Exit(1)
