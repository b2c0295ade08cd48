"""What an error tells to whom."""

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from core.platform.auth.access import Principal
from core.platform.http.problems import answer_with_problems
from core.util.errors import UnavailableError

REASON = "the store postgresql://steer:***@db.internal/steer does not answer: connection refused"


@pytest.mark.parametrize(("role", "is_told"), [(None, False), ("viewer", False), ("agent", False), ("admin", True)])
def test_only_an_admin_is_told_which_store_does_not_answer(role, is_told):
    app = FastAPI()
    answer_with_problems(app)

    @app.get("/v1/x")
    def fails(request: Request) -> None:
        if role is not None:
            request.state.principal = Principal("ann", role)
        raise UnavailableError("The store does not answer at the moment; please try again.", reason=REASON)

    answer = TestClient(app).get("/v1/x")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert ("db.internal" in answer.text) == is_told
    assert "does not answer" in answer.json()["detail"]
