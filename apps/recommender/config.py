"""What the `steer.yaml` of a shop may hold: its items, its events, and the words of its page."""

from typing import Annotated

from pydantic import Field

from core.training.workspace import Table, WorkspaceConfig
from core.util.section import Section

Weight = Annotated[float, Field(ge=-1, le=1)]

# What an event of each type is worth; an item is liked once a person's events with it add up to 1.
WEIGHTS: dict[str, float] = {
    "view": 0.1,
    "click": 0.2,
    "like": 1.0,
    "comment": 0.5,
    "share": 1.0,
    "cart": 0.5,
    "buy": 1.0,
    "hide": -1.0,
}


class ItemTable(Table):
    """The table of items."""

    texts: tuple[str, ...] = Field(
        default=(), description="Columns that the encoder reads behind the title, such as a description"
    )


class EventTable(Table):
    """The table of what people did."""

    ids: str = Field(
        default="", description="File with two columns, an item's id in the events and in the items, where they differ"
    )


class Words(Section):
    """What the page calls an item."""

    item: str = Field(default="item", min_length=1, max_length=30, description="One of them in English")
    items: str = Field(default="items", min_length=1, max_length=30, description="Several of them in English")
    item_zh: str = Field(default="商品", min_length=1, max_length=30, description="One or several in Chinese")
    tags_zh: dict[str, str] = Field(default_factory=dict, description="Chinese names of tags")


class ShopConfig(WorkspaceConfig):
    """A shop: what it offers, and what people did with it."""

    items: ItemTable | None = Field(
        default=None,
        description="Items: id, title, and optionally tags, year, price, stock; without it, ids of the events",
    )
    events: EventTable = Field(description="Events: user, item, and optionally time, type, rating, value")
    weights: dict[str, Weight] = Field(
        default_factory=dict, description="Worth of an event of each type, from -1 (hide) to 1 (like), over the usual"
    )
    liked_from: float = Field(default=3.5, description="Lowest rating that is a like")
    next_likes: int = Field(default=5, ge=1, le=20, description="Number of a person's next likes that judge a list")
    words: Words = Field(default_factory=Words, description="What the page calls an item")
    terms: str = Field(default="", max_length=500, description="Source and terms of the data, at the foot of the page")

    @property
    def all_weights(self) -> dict[str, float]:
        """Worth of an event of each type."""
        return {**WEIGHTS, **self.weights}
