"""A server without accounts: this machine is its admin, and no other site or machine gets in."""

import pytest
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from core.platform.auth.access import NoAuth
from core.platform.auth.middleware import check_public
from core.util.errors import SteerError
from tests.serving.test_access import guarded


def test_without_accounts_everybody_is_the_local_admin():
    client = TestClient(guarded(NoAuth()), "http://localhost:7860")
    assert client.get("/v1/me").json() == "local"
    assert client.post("/v1/push").json() == "admin"


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "[::1]:7860", "localhost"])
def test_without_accounts_this_machine_is_answered_by_each_of_its_names(host):
    client = TestClient(guarded(NoAuth()), f"http://{host}")
    assert client.post("/v1/push", headers={"Origin": f"http://{host}"}).json() == "admin"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example"},
    ],
)
def test_without_accounts_no_other_site_reaches_in_through_the_browser(headers):
    client = TestClient(guarded(NoAuth()), "http://localhost:7860")
    assert client.post("/v1/push", headers=headers).status_code == 403
    with pytest.raises(WebSocketDenialResponse), client.websocket_connect("/socket", headers=headers):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_accounts(host):
    check_public(host, auth=False)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.7", "fe80::1%eth0", "shop.lan", "", "localhost.evil", "127.1"]
)
def test_a_public_address_needs_accounts(host):
    with pytest.raises(SteerError, match="turn accounts on with --auth"):
        check_public(host, auth=False)
    check_public(host, auth=True)
