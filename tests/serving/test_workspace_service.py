"""What the facade of the workspaces does with folders, without a server."""

import pytest

from core.platform.auth.access import Principal
from core.platform.workspaces.service import WorkspaceService

ADMIN = Principal("root", "admin")


@pytest.fixture
def service(store, tmp_path) -> WorkspaceService:
    return WorkspaceService(store, tmp_path / "runs")


@pytest.fixture
def store_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'steer.db'}"


def test_an_admin_of_some_apps_is_shown_their_workspaces_alone(service):
    for name in ("bikes", "boats"):
        service.create(ADMIN, "customer_service", name, "", with_example=False)
    assert [view.name for view in service.views(ADMIN)] == ["bikes", "boats"]
    assert [view.name for view in service.views(Principal("tim", "admin", apps=frozenset({"bikes"})))] == ["bikes"]
