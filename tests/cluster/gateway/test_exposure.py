import pytest

from auricle.cluster.gateway.exposure import unencrypted_public_urls

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://localhost:8000", False),
        ("http://[::1]:8000", False),
        ("http://10.1.2.3:8000", False),
        ("http://192.168.1.4", False),
        ("http://172.16.0.9", False),
        ("http://100.64.0.1", False),  # between carriers and in VPNs
        ("http://169.254.7.7", False),
        ("http://[fd00::1]:8000", False),
        ("http://8.8.8.8:8000", True),
        ("http://[2600::1]:8000", True),
        ("https://8.8.8.8:8000", False),
        ("http://no-such-host.invalid", False),
    ],
)
async def test_only_unencrypted_ways_over_other_networks_are_open(url: str, is_open: bool) -> None:
    assert await unencrypted_public_urls([url]) == ([url] if is_open else [])
