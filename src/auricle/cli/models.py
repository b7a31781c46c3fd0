"""``auricle models``: list named models, and which are on this machine."""

from rich.table import Table
from rich.text import Text

from auricle.cli.support.console import results
from auricle.config.settings import Settings


def models() -> None:
    """List the models that AURICLE_MODEL (or --model) accepts by name.

    AURICLE_MODEL also accepts any CTranslate2 model on the Hugging Face Hub (ORGANISATION/NAME, or
    ORGANISATION/NAME@COMMIT) or in a directory. A missing model is downloaded at the first start;
    listed models at a fixed commit.
    """
    from auricle.engine.whisper.fetch import known_models

    settings = Settings.load().model
    table = Table("name", "from", "MB", "here", box=None, pad_edge=False)
    table.columns[2].justify = "right"
    for model in known_models(settings.cache_dir):
        here = Text("yes", style="green") if model.is_here else Text("no", style="dim")
        name = Text(model.name, style="bold" if model.name == settings.model else "")
        table.add_row(name, model.where, str(model.size_mb), here)
    results.print(table)
