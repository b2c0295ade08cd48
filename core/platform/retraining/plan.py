"""The plan of a retraining on disk, so that one that was killed goes on with the same decisions."""

from datetime import datetime
from pathlib import Path
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from core.platform.store.schema import ModelVersion
from core.util.errors import SteerError
from core.util.files import write_text

_FILE = "plan.json"


class Plan(BaseModel):
    """One retraining.

    Attributes:
        base: Name of the version that served when the retraining was begun.
        since: Moment from which feedback counts.
        until: Moment up to which feedback counts; what came later has to wait for the next retraining.
        fingerprint: Fingerprint of the base, the settings, the data and the feedback.
        settled: Whether the retraining has ended.
        candidate: Name of the version that came of it, if one did.
    """

    model_config = ConfigDict(frozen=True)

    base: str
    since: AwareDatetime
    until: AwareDatetime
    fingerprint: str
    settled: bool = False
    candidate: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """The plan in a folder.

        Raises:
            SteerError: It is damaged.
        """
        file = folder / _FILE
        if not file.is_file():
            return None
        try:
            return cls.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise SteerError(f"{file} is damaged; delete {folder} to start over") from error

    def feedback_of(self, version: ModelVersion) -> datetime:
        """From when on feedback is about a version; what came while it was being trained is not lost to it."""
        if self.candidate == version.name:
            return self.until
        return self.since if self.base == version.name else version.created

    def write(self, folder: Path) -> None:
        """Keep it in a folder."""
        write_text(folder / _FILE, self.model_dump_json(indent=2) + "\n")
