"""A section of the settings."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Settings that belong together; an unknown key is an error, and nothing changes after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)
