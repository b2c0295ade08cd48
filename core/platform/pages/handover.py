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
        """Let visitors of the old pages go on: what pages remember of them moves, in the order of the layout.

        Pages that are laid out in the same order, new ones behind the others, number their events alike, so that what
        is open in a browser speaks to the same functions as before.
        """
        pairs = list(zip(_states(old.blocks), _states(self.blocks), strict=False))
        sessions = old.blocks.state_holder.session_data
        for session, remembered in list(sessions.items()):
            values = {new: remembered.state_data[at] for at, new in pairs if at in remembered.state_data}
            for identity, value in values.items():
                self.blocks.state_holder[session][identity] = value
        sessions.clear()  # or the old pages would tidy up what the new ones use


def _states(blocks: gr.Blocks) -> list[int]:
    return [identity for identity, block in blocks.blocks.items() if isinstance(block, gr.State)]
