"""Typed settings of every stage: defaults, a preset, a YAML file and overrides, in that order.

An unknown key is an error that names it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from core.models.settings import EncoderSettings
from core.rl.settings import RLSettings, StageSettings
from core.util.errors import SteerError
from core.util.section import Section


class Settings(Section):
    """Everything that a run depends on besides its data."""

    seed: int = 0
    encoder: EncoderSettings = EncoderSettings()
    linear: StageSettings = StageSettings(iterations=30, batch_size=64, patience=5)
    supervised: StageSettings = StageSettings(dropout=0.1)
    rl: RLSettings = RLSettings()
    rewards: dict[str, float] = Field(default_factory=dict, description="weights of the task's reward")


def load_settings(preset: Mapping[str, Any], file: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Merge a preset, a YAML file and `section.key=value` overrides.

    Raises:
        SteerError: the file cannot be read, or a key or a value is wrong; the message names it.
    """
    values: dict[str, Any] = {}
    _merge(values, preset)
    if file is not None:
        _merge(values, _read_yaml(file))
    for override in overrides:
        _merge(values, _parse_override(override))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors())
        raise SteerError("wrong settings: " + "; ".join(lines)) from error


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def _read_yaml(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SteerError(f"cannot read settings from {file}: {error}") from error
    if content is not None and not isinstance(content, Mapping):
        raise SteerError(f"{file} must hold `section:` blocks with `key: value` lines, not a {type(content).__name__}")
    return content or {}


def _parse_override(override: str) -> dict[str, Any]:
    path, equals, text = override.partition("=")
    if not equals:
        raise SteerError(f"override {override!r} has no '='; write for example rl.iterations=20")
    value: Any = yaml.safe_load(text)
    for key in reversed(path.strip().split(".")):
        value = {key: value}
    return value
