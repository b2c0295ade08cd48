"""What the service hands out: the same values for the page, the API and tools."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from apps.finance_monitor.data import Sentiment


class _Record(BaseModel):
    model_config = ConfigDict(from_attributes=True, frozen=True)


class StoredItem(_Record):
    """An item of news with its latest label, if it has been read yet."""

    id: int
    time: datetime
    company: str = Field(description="id of the company; empty where the headline names none of the watchlist")
    headline: str
    topic: str | None = None
    sentiment: Sentiment | None = None
    is_copy: bool = Field(default=False, description="whether an earlier headline told the same story")
    is_ahead: bool = Field(default=False, description="whether it is dated in the future, and counts for nothing yet")


class Cause(_Record):
    """A headline behind an alert, and the probability that it is bad news."""

    time: datetime
    headline: str
    negative: float


class Reason(_Record):
    """Why an alert was raised: its headlines, oldest first, and how many the same time usually brings."""

    usual: float
    hours: float
    causes: list[Cause]


class AlertLine(_Record):
    """A surge of bad news, and why it was raised."""

    id: int
    company: str
    opened: datetime
    state: str
    severity: str
    reason: Reason


class Change(_Record):
    """One step of an alert's history."""

    time: datetime
    state: str
    who: str
    note: str


class AlertHistory(AlertLine):
    """An alert with what became of it, oldest step first."""

    history: list[Change]


class FeedState(_Record):
    """How a feed fares that this server follows."""

    name: str
    last_success: datetime | None = None
    last_error: datetime | None = None
    error: str = Field(default="", description="what was wrong at the last poll; empty where nothing was")
    next_poll: datetime | None = None


class Taken(_Record):
    """What became of a delivery."""

    new: int = Field(description="items that were not known yet")
    expired: int = Field(description="items from before what is kept of their company, which were left out")
    alerts: list[AlertLine] = Field(description="alerts that it opened or raised")
