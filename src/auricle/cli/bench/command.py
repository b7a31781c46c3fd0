"""``auricle bench``: its options and output."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from auricle.cli.support.console import errors, results
from auricle.cli.support.output import check_target, write
from auricle.cli.support.setting_options import setting
from auricle.config.capacity import save_capacity
from auricle.config.settings import Settings
from auricle.values.errors import SetupError


def bench(
    quick: Annotated[
        bool, typer.Option("--quick", help="Take half a minute; the result is coarse.")
    ] = False,
    streams: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Try this number of live streams only.")
    ] = None,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Store the result, with the number of live speakers that this machine holds: "
            "`auricle serve` begins with it.",
        ),
    ] = False,
    json_file: Annotated[
        str | None, typer.Option("--json", help="Also write all figures to this file.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model, as AURICLE_MODEL; with AURICLE_MODELS, one of its names."),
    ] = None,
    workers: Annotated[int | None, setting("workers")] = None,
    worker_threads: Annotated[int | None, setting("worker_threads")] = None,
) -> None:
    """Measure how many live streams this machine holds, and how fast it transcribes recordings.

    It starts a server with your settings on a free port and plays speech to it for two minutes, in
    rising numbers of streams. A number is held if 95 % of finals arrive within 2 s after the end of
    speech. Stop other programs first, also a running `auricle serve`.

    The yardstick is faster-whisper's speed on one core with Whisper base. Compare machines, and
    moments of one machine, by multiples of it.

    Nothing is downloaded, and no data leaves this machine.
    """
    from auricle.cli.bench.measure import FULL, QUICK, Listener, measure
    from auricle.cli.bench.report import TABLE_HEAD, BenchResult, advice, conclusion, heading, row
    from auricle.cli.bench.target import find_target
    from auricle.workers.local_models import OneModel, find_local_models

    pool = {"workers": workers, "worker_threads": worker_threads}
    settings, name = Settings.load(pool), ""
    if model is not None and not isinstance(find_local_models(settings), OneModel):
        name = model
    elif model is not None:
        settings = Settings.load({**pool, "model": model})
    if save and streams is not None:
        raise SetupError("--save needs the whole search; omit --streams.")
    if json_file is not None:
        check_target(None, Path(json_file))
    target = find_target(settings, name)
    plan = QUICK if quick else FULL
    if streams is not None:
        plan = plan.only(streams)

    def show(result: BenchResult) -> None:
        if not result.levels:
            for line in [*heading(result), "", TABLE_HEAD]:
                results.print(line)
        else:
            results.print(row(result.levels[-1]))

    with errors.status("") as status:  # shown on terminals only
        listener = Listener(status.update, show)
        result = asyncio.run(measure(settings, target, plan, listener))
    results.print()
    saved = None
    if save and result.streams:
        saved = str(save_capacity(settings.model.cache_dir, result.capacity()))
    for line in [*conclusion(result), *advice(result, settings, saved)]:
        results.print(line)
    if json_file is not None:
        write(json.dumps(result.document(), indent=1) + "\n", Path(json_file))
