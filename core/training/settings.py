"""Typed settings of every stage: defaults, a preset, a YAML file and overrides, in that order.

An unknown key is an error that names it; so is a key of another algorithm than the chosen one, if the user gave it.
"""

import copy
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, get_args

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from core.models.settings import EncoderSettings
from core.rl.a2c import A2CSettings
from core.rl.all_action import AllActionSettings
from core.rl.all_pick import AllPickSettings
from core.rl.grpo import GRPOSettings
from core.rl.off_policy import OffPolicySettings
from core.rl.ppo import PPOSettings
from core.rl.reinforce import ReinforceSettings
from core.rl.settings import RLSettings
from core.rl.supervised import SupervisedSettings
from core.rl.trpo import TRPOSettings
from core.util.errors import SteerError
from core.util.section import Section

AlgorithmSettings = (
    PPOSettings
    | A2CSettings
    | TRPOSettings
    | ReinforceSettings
    | GRPOSettings
    | AllActionSettings
    | AllPickSettings
    | OffPolicySettings
)

_BY_ALGORITHM: dict[str, type[RLSettings]] = {
    settings.model_fields["algorithm"].default: settings for settings in get_args(AlgorithmSettings)
}
# What keys were called before they took the names that Stable-Baselines3, TRL and Hugging Face use.
_STAGE_NAMES = {
    "clip_norm": "max_grad_norm",
    "micro_batch": "micro_batch_size",
    "schedule": "lr_scheduler_type",
    "warmup": "warmup_ratio",
}
_RL_NAMES = _STAGE_NAMES | {
    "cg_steps": "cg_max_steps",
    "damping": "cg_damping",
    "entropy": "ent_coef",
    "environments": "n_envs",
    "epochs": "n_epochs",
    "group": "num_generations",
    "kl": "kl_coef",
    "kl_target": "kl_coef_target",
    "normalise_advantages": "normalize_advantage",
    "normalise_rewards": "normalize_reward",
    "steps": "n_steps",
    "value_weight": "vf_coef",
    "weight_clip": "is_weight_max",
    "weight_floor": "is_weight_min",
}
_NEW_NAMES = {"linear": _STAGE_NAMES, "supervised": _STAGE_NAMES, "rl": _RL_NAMES}


class Settings(Section):
    """Everything that a run depends on besides its data."""

    seed: int = Field(default=0, description="Seed of everything random.")
    encoder: EncoderSettings = Field(default=EncoderSettings(), description="Pretrained encoder.")
    linear: SupervisedSettings = Field(
        default=SupervisedSettings(iterations=30, batch_size=64, patience=5),
        description="Stage that trains a linear head on the frozen encoder, as a baseline.",
    )
    supervised: SupervisedSettings = Field(
        default=SupervisedSettings(dropout=0.1), description="Stage of the supervised warm start."
    )
    rl: Annotated[AlgorithmSettings, Field(discriminator="algorithm")] = Field(
        default=PPOSettings(), description="Stage of reinforcement learning; `algorithm` says which settings there are."
    )
    rewards: dict[str, float] = Field(default_factory=dict, description="Weights of the terms of the task's reward.")

    @field_validator("rl", mode="before")
    @classmethod
    def _default_algorithm(cls, rl: Any) -> Any:
        return {"algorithm": "ppo", **rl} if isinstance(rl, Mapping) else rl


def load_settings(base: Mapping[str, Any], file: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """Merge a base, a YAML file and `section.key=value` overrides.

    Args:
        base: Settings to start from: a preset, or those of an earlier run. Old names in it are translated, and what
            belongs to another algorithm than the one that the user chose is left out.
        file: YAML file of the user's.
        overrides: Single settings of the user's.

    Raises:
        SteerError: The file cannot be read, or a key or a value is wrong; the message names it.
    """
    user: dict[str, Any] = {}
    if file is not None:
        _merge(user, read_settings(file))
    for override in overrides:
        _merge(user, _parse_override(override))
    values = merge_settings(base, user)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        lines = "; ".join(_explain(each, values) for each in error.errors())
        raise SteerError(f"wrong settings: {lines}") from error


def merge_settings(base: Mapping[str, Any], user: Mapping[str, Any]) -> dict[str, Any]:
    """A base with the user's settings over it, unchecked; see `load_settings`."""
    values = _fit_base(base, user.get("rl"))
    _merge(values, copy.deepcopy(dict(user)))
    return values


def read_settings(file: Path) -> Mapping[str, Any]:
    """The sections in a YAML file.

    Raises:
        SteerError: It cannot be read, or holds something else.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SteerError(f"cannot read settings from {file}: {error}") from error
    if content is not None and not isinstance(content, Mapping):
        raise SteerError(f"{file} must hold `section:` blocks with `key: value` lines, not a {type(content).__name__}")
    return content or {}


def _fit_base(base: Mapping[str, Any], user_rl: Any) -> dict[str, Any]:
    """A copy of the base under today's names, without what is foreign to the algorithm that the user chose."""
    values = copy.deepcopy(dict(base))
    is_old = False
    for section, names in _NEW_NAMES.items():
        if isinstance(values.get(section), Mapping):
            is_old = is_old or not names.keys().isdisjoint(values[section])
            values[section] = {names.get(key, key): value for key, value in values[section].items()}
    rl = values.get("rl")
    if isinstance(rl, Mapping):
        own = rl.get("algorithm", "ppo")
        chosen = user_rl.get("algorithm", own) if isinstance(user_rl, Mapping) else own
        # The settings of older runs held the keys of all algorithms.
        if isinstance(chosen, str) and chosen in _BY_ALGORITHM and (is_old or chosen != own):
            foreign = _all_rl_keys() - _BY_ALGORITHM[chosen].model_fields.keys()
            values["rl"] = {key: value for key, value in rl.items() if key not in foreign}
    return values


def _all_rl_keys() -> set[str]:
    return {key for settings in _BY_ALGORITHM.values() for key in settings.model_fields}


def _explain(error: ErrorDetails, values: Mapping[str, Any]) -> str:
    """One mistake in the user's words."""
    path = [str(part) for part in error["loc"]]
    section, algorithm = path[0], "ppo"
    if section == "rl" and len(path) > 1:
        algorithm = path.pop(1)  # pydantic names the member of the union
    if error["type"] == "union_tag_invalid":
        return f"rl.algorithm: {values['rl']['algorithm']!r} is none of {', '.join(_BY_ALGORITHM)}"
    if error["type"] == "extra_forbidden":
        return _explain_unknown(path, algorithm)
    message = error["msg"].removeprefix("Value error, ")
    return f"{'.'.join(path)}: {message}" + ("" if error["type"] == "value_error" else f" (got {error['input']!r})")


def _explain_unknown(path: Sequence[str], algorithm: str) -> str:
    """What to write instead of a key that its section does not have."""
    *above, key = path
    section = ".".join(above)
    if key in _NEW_NAMES.get(section, {}):
        return f"{section}.{key} is called {section}.{_NEW_NAMES[section][key]} now"
    owners = [name for name, settings in _BY_ALGORITHM.items() if key in settings.model_fields]
    if section == "rl" and owners:
        return (
            f"rl.{key} belongs to {', '.join(owners)}; rl.algorithm is {algorithm}: "
            f"remove it, or set rl.algorithm={owners[0]}"
        )
    known: dict[str, type[Section]] = {"": Settings, "encoder": EncoderSettings, "rl": _BY_ALGORITHM[algorithm]}
    fields = known.get(section, SupervisedSettings).model_fields
    near = get_close_matches(key, fields, n=1, cutoff=0.5)
    remedy = f"did you mean {'.'.join([*above, near[0]])}?" if near else f"there are {', '.join(fields)}"
    return f"there is no setting {'.'.join(path)}; {remedy}"


def _merge(target: dict[str, Any], source: Mapping[str, Any]) -> None:
    for key, value in source.items():
        if isinstance(value, Mapping) and isinstance(target.get(key, {}), dict):
            _merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def _parse_override(override: str) -> dict[str, Any]:
    path, equals, text = override.partition("=")
    if not equals:
        raise SteerError(f"override {override!r} has no '='; write for example rl.iterations=20")
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SteerError(f"the value of override {override!r} is not YAML: {error}") from error
    for key in reversed(path.strip().split(".")):
        value = {key: value}
    return value
