"""Builds the documentation site, and packs it into the server's package (``make docs``).

    python -m supply.site ENVIRONMENT

ENVIRONMENT has the packages of requirements/docs.txt: Zensical, which builds the site, and a
package that contains Swagger UI.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from auricle.apis.pages.documentation import ARCHIVE
from supply.lock import ROOT
from supply.site.gather import gather
from supply.site.pack import pack
from supply.site.reference import write_reference
from supply.site.search import extend_search

HERE = Path(__file__).parent
FOLDER = ROOT / ".cache" / "site"
VIEWER = {
    "javascripts/swagger-ui-bundle.js": "swagger-ui-bundle.js",
    "stylesheets/swagger-ui.css": "swagger-ui.css",
    "LICENSE": "swagger-ui-LICENSE.txt",
}


def main(environment: Path) -> int:
    """Build the site; return the exit status of Zensical, which reports broken links."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    write_sources(FOLDER, environment)
    zensical = environment.absolute() / "bin" / "zensical"
    built = subprocess.run([zensical, "build", "--strict"], cwd=FOLDER, check=False)
    if built.returncode == 0:
        extend_search(FOLDER / "html", FOLDER / "pages")
        pack(FOLDER / "html", ARCHIVE)
        print(f"docs: {ARCHIVE.relative_to(ROOT)}, {ARCHIVE.stat().st_size / 1e6:.1f} MB")
    return built.returncode


def write_sources(target: Path, environment: Path) -> None:
    """Write the configuration, all pages, the OpenAPI document and its viewer into a folder.

    Zensical keeps a folder ``.cache`` next to its configuration, and removes it. So the
    configuration is not in the root of the repository, which has one of that name.
    """
    gather(target / "pages")
    shutil.copyfile(HERE / "mkdocs.yml", target / "mkdocs.yml")
    shutil.copyfile(HERE / "site.css", target / "pages" / "site.css")
    reference = target / "pages" / "reference"
    write_reference(reference)
    [swagger] = environment.glob("lib/python*/site-packages/mkdocs_swagger_ui_tag/swagger-ui")
    for name, goal in VIEWER.items():
        shutil.copyfile(swagger / name, reference / goal)
    for page in HERE.glob("openapi.*"):
        shutil.copyfile(page, reference / page.name)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
