"""Checks of what the files of an imported version hold, before anything is made of them."""

import re
from pathlib import Path

import numpy as np
import yaml
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from core.platform.versions.manifest import METRICS, SETTINGS
from core.platform.versions.metrics import Metrics
from core.training.settings import load_settings
from core.util.errors import SteerError

_MAX_SETTINGS, _MAX_DEPTH = 1 << 16, 8
_PICKLE, _ZIP, _NUMPY = re.compile(rb"\x80[\x02-\x05]"), b"PK", b"\x93NUMPY"
_PACKAGED_OR_HUB = re.compile(r"pip:[\w.-]+|\w[\w.-]*(/\w[\w.-]*)?")


def check_contents(folder: Path) -> Metrics:
    """Read every file that Steer would read, without opening a policy.

    Args:
        folder: Folder whose files are those of its manifest.

    Returns:
        The metrics, the mean reward worked out again from the returns.

    Raises:
        SteerError: A file is not what its name says.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _check_kind(path)
    _check_settings(folder / SETTINGS)
    try:
        metrics = Metrics.model_validate_json((folder / METRICS).read_bytes())
    except ValidationError as error:
        raise SteerError(f"{METRICS} is refused: {error.errors()[0]['msg']}") from error
    return metrics.model_copy(
        update={"reward": Metrics.of(np.array(metrics.returns)).reward if metrics.returns else None}
    )


def _check_kind(path: Path) -> None:
    with path.open("rb") as stream:
        head = stream.read(16)
    tensors = path.suffix == ".safetensors"
    # The first bytes of a safetensors file are the length of its JSON header, which may look like a pickle's.
    if not (tensors and head[8:9] == b"{") and (_PICKLE.match(head) or head.startswith((_ZIP, _NUMPY))):
        raise SteerError(f"{path.name} is refused: it is a pickle or an archive under another name")
    if tensors:
        try:
            with safe_open(path, framework="np") as file:
                file.keys()
        except SafetensorError as error:
            raise SteerError(f"{path.name} is refused: it is no safetensors file ({error})") from error


def _check_settings(file: Path) -> None:
    if file.stat().st_size > _MAX_SETTINGS:
        raise SteerError(f"{SETTINGS} is refused: it is larger than {_MAX_SETTINGS} bytes")
    depth = 0
    try:
        for event in yaml.parse(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            # A few lines of aliases stand for gigabytes, and a message about them would spell them out.
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
                raise SteerError(f"{SETTINGS} is refused: it has aliases or is nested too deeply")
        settings = load_settings({}, file)
    except (ValueError, yaml.YAMLError) as error:
        raise SteerError(f"{SETTINGS} is refused: {error}") from error
    name = settings.encoder.name
    # A name of the hub is a folder's too, where there is one of that name.
    if not _PACKAGED_OR_HUB.fullmatch(name) or Path(name).exists():
        raise SteerError(
            f"{SETTINGS} is refused: its encoder {name!r} is a path; an encoder that travels has a "
            "name that every machine can resolve"
        )
