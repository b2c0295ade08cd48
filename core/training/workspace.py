"""Workspace: a company's own data for one of the apps, a folder with a `steer.yaml`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from core.data.report import Report
from core.data.sources import Source
from core.util.errors import SteerError
from core.util.section import Section

FILE, SCHEMA = "steer.yaml", "steer.schema.json"
_MOST_BYTES = 1_000_000
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class Table(Section):
    """A table of the user's: where it is, and what its columns are called."""

    source: str = Field(min_length=1, description="File or folder beside steer.yaml, or a name on the Hugging Face Hub")
    columns: dict[str, str] = Field(default_factory=dict, description="Columns whose fields are called otherwise")

    @model_validator(mode="before")
    @classmethod
    def _source_alone(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value


class WorkspaceConfig(Section):
    """What every `steer.yaml` may hold; apps add their data to it."""

    app: str = Field(description="App that the workspace is for")
    name: str = Field(description="Name in commands, addresses and the store: small letters, digits, _ and -")
    title: str = Field(default="", max_length=80, description="Title of the page; the name by default")
    summary: str = Field(default="", max_length=300, description="What people find there, for the start page")
    language: Literal["en", "zh", "multilingual"] = Field(default="en", description="Language of the data")
    preset: str = Field(default="quick", description="Settings to start from")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Settings over those of the preset: encoder, supervised, rl, rewards ..."
    )
    examples: tuple[str, ...] = Field(default=(), max_length=8, description="What the page offers to try")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("a name begins with a small letter and goes on with at most 39 of a-z, 0-9, _ and -")
        return name


ConfigT = TypeVar("ConfigT", bound=WorkspaceConfig, covariant=True)


@dataclass(frozen=True)
class Workspace(Generic[ConfigT]):
    """A workspace that has been read.

    Attributes:
        folder: Folder that holds it.
        config: Content of its `steer.yaml`.
    """

    folder: Path
    config: ConfigT

    def path(self, name: str) -> Path:
        """A file or folder that the configuration names, relative to the workspace's folder."""
        return self.folder / Path(name).expanduser()

    def source(self, name: str) -> Source:
        """A table that the configuration names: what lies there, or else a name on the Hub."""
        path = self.path(name)
        return path if path.exists() or name.startswith((".", "/", "~")) or Path(name).suffix else name


@dataclass(frozen=True)
class WorkspaceReport:
    """What there is to say of a workspace before anything is learnt from it.

    Attributes:
        tables: Report of each of its tables.
        remarks: Things that are there and may not be what was meant, a sentence each.
        missing: Things that are not there, and what they would bring, a sentence each.
        texts: Texts of it, on which the encoder is judged.
        splits: Number of examples by split, for each kind of them; empty where there can be none.
    """

    tables: tuple[Report, ...]
    remarks: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    splits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def read_workspace(folder: Path, schema: type[ConfigT]) -> Workspace[ConfigT]:
    """The workspace in a folder.

    Raises:
        SteerError: There is none, or its `steer.yaml` is wrong; the message names every mistake.
    """
    content = read_config(folder)
    try:
        return Workspace(folder, schema.model_validate(content))
    except ValidationError as error:
        lines = "; ".join(f"{'.'.join(map(str, each['loc']))}: {_reason(each)}" for each in error.errors())
        raise SteerError(f"{folder / FILE} is wrong: {lines}") from error


def read_config(folder: Path) -> Mapping[str, Any]:
    """The content of a folder's `steer.yaml`, unchecked.

    Raises:
        SteerError: There is none, or it is no YAML that may be read.
    """
    file = folder / FILE
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise SteerError(f"{file} is larger than a megabyte; data belong into files of their own")
        text = file.read_text(encoding="utf-8")
        # A few references to references stand for gigabytes.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise SteerError(f"{file} refers to itself (*name); write what is meant where it is meant")
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SteerError(f"cannot read {file}: {reason}; `steer new APP FOLDER` writes one that works") from error
    if not isinstance(content, Mapping):
        raise SteerError(f"{file} must hold `key: value` lines, `app:` and `name:` among them")
    return content


def _reason(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such key"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message if error["type"] in ("missing", "value_error") else f"{message} (got {error['input']!r})"
