"""``auricle models``: list named models, and which are on this machine."""

from rich.table import Table
from rich.text import Text

from auricle.cli.support.console import results
from auricle.config.settings import Settings


def models() -> None:
    """List the models of the engine that AURICLE_MODEL (or --model) accepts by name.

    AURICLE_MODEL also accepts any other model of the engine: a directory or, if the engine
    downloads models, ORGANISATION/NAME or ORGANISATION/NAME@COMMIT on the Hugging Face Hub. A
    missing model is downloaded at the first start; listed models at a fixed commit.
    """
    from auricle.engine.registry import find_engine

    settings = Settings.load().model
    store = find_engine(settings.engine).models
    table = Table("name", "from", "MB", "here", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for model in store.named(settings.cache_dir):
        here = Text("yes", style="green") if model.is_local else Text("no", style="dim")
        is_chosen = model.name == (settings.model or store.default)
        table.add_row(
            Text(model.name, style="bold" if is_chosen else ""),
            model.source,
            str(model.size_mb),
            here,
        )
    results.print(table)
