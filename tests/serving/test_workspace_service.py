"""What the facade of the workspaces does with folders, without a server."""

import pytest

from core.platform.auth.access import Principal
from core.platform.workspaces.service import WorkspaceService
from core.training.workspace import read_config

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


def test_files_that_are_dropped_anew_keep_what_was_said_of_the_table(service, tmp_path):
    def put(head: str) -> object:
        (tmp_path / "items.csv").write_text(f"{head}\n1,Chess,A game of kings,board\n")
        service.put_files(ADMIN, "games", "items", [tmp_path / "items.csv"])
        return read_config(tmp_path / "runs" / "workspaces" / "games")["items"]

    service.create(ADMIN, "recommender", "games", "", with_example=False)
    source = "data/items/items.csv"
    assert put("id,caption,blurb,kind") == source
    mapped = {"source": source, "columns": {"title": "caption", "tags": "kind"}, "texts": ["blurb"]}
    text = service.config_text(ADMIN, "games")
    service.write_config_text(ADMIN, "games", text.replace(f"items: {source}", f"items: {mapped}"))
    assert put("id,caption,blurb,kind") == mapped
    # What the new file does not have is not what anybody meant; the rest is.
    assert put("id,title,blurb,kind") == {"source": source, "columns": {"tags": "kind"}, "texts": ["blurb"]}
