"""Pages that take the place of others while visitors use them."""

from dataclasses import dataclass

import gradio as gr


@dataclass(frozen=True)
class LaidOutPages:
    """Pages as they were laid out.

    Attributes:
        blocks: Gradio's layout of them all.
    """

    blocks: gr.Blocks

    def are_busy(self) -> bool:
        """Whether an event waits or runs."""
        return bool(self.blocks._queue.event_ids_to_events)

    def have_unread(self) -> bool:
        """Whether an answer lies there that its visitor has not fetched."""
        return any(not messages.empty() for messages in self.blocks._queue.pending_messages_per_session.values())

    def take_over(self, old: "LaidOutPages") -> None:
        """Let visitors of the old pages go on: what those remember of them moves, by the events that use it.

        Pages that are laid out in the same order, new ones behind the others, number their events alike, so that what
        is open in a browser speaks to the same functions as before.
        """
        pairs = _same_components(old.blocks, self.blocks)
        sessions = old.blocks.state_holder.session_data
        for session, before in list(sessions.items()):
            for at, new in pairs.items():
                held = before.state_data.get(at, before.blocks_config.blocks.get(at))
                if held is not None and held is not old.blocks.blocks[at]:
                    self.blocks.state_holder[session][new] = held
        sessions.clear()  # or the old pages would tidy up what the new ones use


def _same_components(old: gr.Blocks, new: gr.Blocks) -> dict[int, int]:
    """The new component of each old one that is an input or output of an event."""
    events = [(old.fns[number], new.fns[number]) for number in old.fns.keys() & new.fns.keys()]
    pairs = [
        pair
        for before, after in events
        for pair in zip([*before.inputs, *before.outputs], [*after.inputs, *after.outputs], strict=False)
    ]
    return {before._id: after._id for before, after in pairs}
