"""Erasing a person by the API: themself, or, for an admin, anybody."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Response
from starlette.concurrency import run_in_threadpool

from core.platform.auth.access import CurrentPrincipal
from core.platform.store.accounts import normal_name
from core.platform.store.database import Store
from core.platform.store.erasure import erase_person

Name = Annotated[str, Path(max_length=200, description="name of a user, your own included")]


def erasure_routes(store: Store, remove_uploads: Callable[[], None]) -> APIRouter:
    """`DELETE /users/NAME`.

    Args:
        store: Store with the accounts and everything that their users made.
        remove_uploads: Function that removes what people have uploaded.
    """
    router = APIRouter(tags=["users"])

    @router.delete("/users/{name:path}", status_code=204)
    async def erase(principal: CurrentPrincipal, name: Name) -> Response:
        """Erase a user: the account, and everything that they made in any app. An admin may erase anybody."""
        if normal_name(name) != principal.name and not principal.is_at_least("admin"):
            raise HTTPException(403, "You may erase yourself; to erase somebody else takes the role admin.")
        await store.erase(lambda session: erase_person(session, name))
        await run_in_threadpool(remove_uploads)
        return Response(status_code=204)

    return router
