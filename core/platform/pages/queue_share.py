"""Who may put what into the queue in which the pages' events wait, and how much, so that nobody fills it for all."""

from collections.abc import Mapping
from typing import Any

import gradio as gr
from fastapi import HTTPException, Request

from core.platform.http.limits import Limits, share_of


def share_queue(blocks: gr.Blocks, limits: Limits, apps: Mapping[int, str]) -> None:
    """Hold each person to their apps and to a share of the queue, whichever of Gradio's addresses their events come by.

    Args:
        blocks: Pages, whose queue has been set up.
        limits: Limits of one client.
        apps: Name of the app that each function of the pages is for, by its number.
    """
    queue: Any = blocks._queue
    push = queue.push
    owners: dict[str, str] = {}  # of the sessions, the oldest first

    async def push_within_share(body: Any, request: Request, username: str | None) -> Any:
        person = _person(request)
        app = apps.get(body.fn_index)  # whoever calls by a name has it filled in by now
        if app is not None and not request.state.principal.may_use(app):
            raise HTTPException(403, f"Your account is not for {app}.")
        running = sum(_person(event.request) == person for event in queue.event_ids_to_events.values())
        if running >= limits.events:
            detail = f"{running} events of yours wait or run already; try again when they are done."
            raise HTTPException(429, detail, {"Retry-After": "10"})
        pushed = await push(body=body, request=request, username=username)
        owners.setdefault(body.session_hash, person)
        _forget_unread(queue, owners, person, limits.unread)
        return pushed

    queue.push = push_within_share


def _person(request: Request) -> str:
    client = request.client
    return share_of(request.state.principal.name, client.host if client else "unknown")


def _forget_unread(queue: Any, owners: dict[str, str], person: str, most: int) -> None:
    """Drop the answers of a person's oldest sessions that nobody fetches, until few enough are kept."""
    running = {event.session_hash for event in queue.event_ids_to_events.values()}
    unread = {}
    for session, owner in list(owners.items()):
        if session not in queue.pending_messages_per_session:
            del owners[session]
        elif owner == person and session not in running:
            unread[session] = queue.pending_messages_per_session[session].qsize()
    excess = sum(unread.values()) - most
    for session in [session for session, count in unread.items() if count]:
        if excess <= 0:
            return
        excess -= unread[session]
        del queue.pending_messages_per_session[session], owners[session]
        queue.pending_event_ids_session.pop(session, None)
