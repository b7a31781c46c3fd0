"""Configurations that pages show, as nginx reads them."""

import os
import re
from pathlib import Path

import pytest

from tests.deploy.balancer import NGINX, free_port, program
from tests.deploy.tools import accepted
from tests.support.certificates import issued
from tests.support.command import ROOT

pytestmark = [pytest.mark.process, pytest.mark.outside]

IN_A_LOCATION = "server {{ listen 127.0.0.1:1; location / {{ proxy_pass http://[::1]; {} }} }}"


def configuration(page: str) -> str:
    """Return the only configuration of nginx on a page."""
    [found] = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return str(found)


@pytest.mark.parametrize("page", ["how-to/browser.md", "how-to/access.md"])
def test_nginx_accepts_the_configuration_of_a_page(page: str, tmp_path: Path) -> None:
    nginx = program("nginx")
    made = issued(tmp_path)
    text = configuration(page)
    if "server {" not in text:
        text = IN_A_LOCATION.format(text).replace(":1;", f":{free_port('127.0.0.1')};")
    text = text.replace("listen 443", f"listen 127.0.0.1:{free_port('127.0.0.1')}")
    text = re.sub(r"/etc/ssl/\S+\.pem", str(made.certificate), text)
    text = re.sub(r"/etc/ssl/\S+\.key", str(made.key), text)
    (tmp_path / "auricle.conf").write_text(text)
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, user=user))
    said = accepted(nginx, "-t", "-c", tmp_path / "nginx.conf", "-e", "stderr")
    assert "warn" not in said
