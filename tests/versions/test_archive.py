"""Versions that travel, and archives that an enemy made."""

import hashlib
import io
import json
import pickle
import random
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from core.platform.store import versions
from core.platform.store.database import open_store
from core.platform.versions import entries
from core.platform.versions.archive import export_version, import_version
from core.platform.versions.library import Library
from core.platform.versions.metrics import Metrics
from core.training.loader import open_task
from core.training.run import trained_policy
from core.util.errors import SteerError
from tests.core.bandit import SENTENCES, Bandit

TEXTS = {"text": tuple(text for texts in SENTENCES.values() for text in texts)}
Files = dict[str, bytes]


@pytest.fixture
def exported(library, task, good, good_metrics, tmp_path) -> Path:
    library.register(task, good, good_metrics)
    return export_version(library, "bandit", "v0001", tmp_path / "out" / "bandit.zip")


@pytest.fixture
def elsewhere(tmp_path) -> Library:
    """Another machine's library."""
    store = open_store(f"sqlite:///{tmp_path / 'elsewhere.db'}")
    yield Library(store, tmp_path / "elsewhere")
    store.close()


@pytest.fixture(scope="package")
def packed(tmp_path_factory, task, good, good_metrics) -> Files:
    """The files of an exported version."""
    folder = tmp_path_factory.mktemp("packed")
    store = open_store(f"sqlite:///{folder / 'steer.db'}")
    library = Library(store, folder / "versions")
    library.register(task, good, good_metrics)
    with zipfile.ZipFile(export_version(library, "bandit", "v0001", folder / "bandit.zip")) as archive:
        files = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    store.close()
    return files


def test_an_exported_version_decides_the_same_on_another_machine(exported, elsewhere, task, good, good_metrics):
    version = import_version(elsewhere, exported)
    run = elsewhere.open(version)
    wanted = trained_policy(task, good).logits(TEXTS)
    assert (trained_policy(open_task(Bandit, run), run).logits(TEXTS) == wanted).all()
    assert Metrics.model_validate(version.metrics) == good_metrics
    assert version.note == "imported from 'bandit.zip'"


def test_an_imported_version_is_a_candidate_beside_those_that_are_there(exported, library):
    assert import_version(library, exported).name == "v0002"
    with library.store.reading() as session:
        assert versions.current(session, "bandit") is None


def test_two_exports_are_the_same_bytes(exported, library, tmp_path):
    assert export_version(library, "bandit", "v0001", tmp_path / "again.zip").read_bytes() == exported.read_bytes()


def test_a_changed_version_is_not_exported(exported, library, tmp_path):
    (library.folder / "bandit/v0001/settings.yaml").write_text("seed: 7\n")
    with pytest.raises(SteerError, match=r"settings\.yaml was changed"):
        export_version(library, "bandit", "v0001", tmp_path / "changed.zip")
    assert not (tmp_path / "changed.zip").exists()


def test_an_archive_that_was_packed_anew_by_another_program_is_taken(packed, elsewhere, tmp_path):
    with zipfile.ZipFile(tmp_path / "again.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in packed.items():
            archive.writestr(name, content)
    assert import_version(elsewhere, tmp_path / "again.zip").name == "v0001"


def listed(files: Files) -> Files:
    """The files with a manifest that lists them: an enemy can work out hashes, too."""
    manifest = json.loads(files["manifest.json"])
    manifest["files"] = {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "manifest.json"
    }
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def pack(file: Path, files: Files) -> zipfile.ZipFile:
    """An archive, still open, in which the entries are those that `files` names."""
    archive = zipfile.ZipFile(file, "w")
    for name, content in files.items():
        archive.writestr(zipfile.ZipInfo(name), content)
    return archive


def torch_bytes() -> bytes:
    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, stream)
    return stream.getvalue()


def numpy_bytes() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([object], dtype=object), allow_pickle=True)
    return stream.getvalue()


WEIGHTS = "rl/model/policy.safetensors"
LAUGHS = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefghij", "bcdefghijk", strict=True)
)
OTHER_FILES = [
    ("../../evil.json", "does not belong"),
    ("/etc/evil.json", "does not belong"),
    ("rl/model/../../../evil.json", "does not belong"),
    ("rl\\model\\evil.json", "does not belong"),
    ("C:/evil.json", "does not belong"),
    ("rl/model/.hidden.json", "does not belong"),
    ("rl/model/" + "deep/" * 9 + "evil.json", "does not belong"),
    ("rl/model/" + "long" * 80 + ".json", "does not belong"),
    ("rl/model/folder/", "does not belong"),
    ("rl/model/modeling_evil.py", "does not belong"),
    ("evil.json", "does not belong"),
    ("rl/model/pytorch_model.bin", "pickle"),
    ("rl/model/policy.pt", "pickle"),
    ("rl/model/policy.PKL", "pickle"),
    ("rl/model/policy.npy", "pickle"),
    ("Rl/model/policy.safetensors", "does not belong"),
]


@pytest.mark.parametrize(("name", "message"), OTHER_FILES)
def test_a_file_that_does_not_belong_is_refused(packed, elsewhere, tmp_path, name, message):
    pack(tmp_path / "evil.zip", listed({**packed, name: b"{}"})).close()
    refused(elsewhere, tmp_path, message)


CONTENTS: list[tuple[str, str, bytes | Callable[[], bytes], str]] = [
    ("pickled weights", WEIGHTS, lambda: pickle.dumps({"weight": 1}), "a pickle or an archive under another name"),
    ("weights of torch.save", WEIGHTS, torch_bytes, "a pickle or an archive under another name"),
    ("an array of objects", WEIGHTS, numpy_bytes, "a pickle or an archive under another name"),
    ("an old pickle", WEIGHTS, lambda: pickle.dumps({"weight": 1}, 0), "no safetensors file"),
    ("a header without an end", WEIGHTS, struct.pack("<Q", 1 << 60) + b"{}", "no safetensors file"),
    ("no weights at all", WEIGHTS, b"", "no safetensors file"),
    ("a pickle called JSON", "rl/model/encoder/config.json", lambda: pickle.dumps({}), "a pickle or an archive"),
    ("an unknown setting", "settings.yaml", b"sead: 1\n", "did you mean seed?"),
    ("an object in YAML", "settings.yaml", b"seed: !!python/object/apply:os.getcwd []\n", "cannot read settings"),
    ("YAML that grows", "settings.yaml", LAUGHS.encode(), "aliases or is nested too deeply"),
    ("deep YAML", "settings.yaml", b"[" * 30_000, "aliases or is nested too deeply"),
    ("a number without end", "settings.yaml", b"seed: " + b"9" * 50_000, "settings.yaml is refused"),
    ("large settings", "settings.yaml", b"#" * 70_000, "larger than"),
    ("settings of no text", "settings.yaml", b"\xff\xfe", "settings.yaml is refused"),
    ("an encoder on this machine", "settings.yaml", b"encoder: {name: /etc}\n", "is a path"),
    ("an encoder next door", "settings.yaml", b"encoder: {name: ../../secrets}\n", "is a path"),
    ("rewards beyond numbers", "metrics.json", b'{"returns": [1e999]}', "metrics.json is refused"),
    ("metrics of another kind", "metrics.json", b'{"retorns": []}', "metrics.json is refused"),
    ("deep metrics", "metrics.json", b"[" * 200_000, "metrics.json is refused"),
    ("letters that move the cursor", "metrics.json",
     b'{"others": {"\\u001b[2J": {"value": 1, "low": 1, "high": 1}}}', "metrics.json is refused"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"), [row[1:] for row in CONTENTS], ids=[row[0] for row in CONTENTS]
)
def test_a_file_that_is_not_what_it_says_is_refused(packed, elsewhere, tmp_path, name, content, message):
    content = content() if callable(content) else content
    pack(tmp_path / "evil.zip", listed({**packed, name: content})).close()
    refused(elsewhere, tmp_path, message)


@pytest.mark.parametrize("name", ["secrets", "models/mine"])
def test_an_encoder_that_is_a_folder_of_this_machine_is_refused(packed, elsewhere, tmp_path, monkeypatch, name):
    (tmp_path / "here" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    settings = f"encoder: {{name: {name}}}\n".encode()
    pack(tmp_path / "evil.zip", listed({**packed, "settings.yaml": settings})).close()
    refused(elsewhere, tmp_path, "is a path")


def without(files: Files, name: str) -> Files:
    return {key: content for key, content in files.items() if key != name}


def with_manifest(packed: Files, **changes: object) -> Files:
    manifest = json.loads(packed["manifest.json"]) | changes
    return {**packed, "manifest.json": json.dumps(manifest).encode()}


MANIFESTS: list[tuple[str, Callable[[Files], Files], str]] = [
    ("no manifest", lambda files: without(files, "manifest.json"), "has no manifest.json"),
    ("a missing file", lambda files: without(files, "README.md"), "README.md is missing"),
    ("no weights", lambda files: listed(without(files, WEIGHTS)), "policy.safetensors is missing"),
    ("one file more", lambda files: {**files, "rl/model/more.txt": b""}, "more.txt is not in the manifest"),
    ("a changed file", lambda files: {**files, "README.md": b"better"}, "README.md was changed"),
    ("an app elsewhere", lambda files: with_manifest(files, app="../../evil"), "manifest.json of .* is damaged: app"),
    ("an app of no name", lambda files: with_manifest(files, app=""), "manifest.json of .* is damaged: app"),
    ("a format to come", lambda files: with_manifest(files, format=2), "manifest.json of .* is damaged: format"),
    (
        "a hash of no hash",
        lambda files: with_manifest(files, files={"README.md": "x"}),
        "manifest.json of .* is damaged",
    ),
    ("a manifest of no JSON", lambda files: {**files, "manifest.json": b"\x00"}, "manifest.json of .* is damaged"),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in MANIFESTS], ids=[row[0] for row in MANIFESTS])
def test_files_that_are_not_those_of_the_manifest_are_refused(packed, elsewhere, tmp_path, change, message):
    pack(tmp_path / "evil.zip", change(packed)).close()
    refused(elsewhere, tmp_path, message)


def test_a_name_that_ends_before_its_end_is_refused(packed, elsewhere, tmp_path):
    pack(tmp_path / "evil.zip", listed({**packed, "rl/model/evil.py~.json": b"{}"})).close()
    content = (tmp_path / "evil.zip").read_bytes()
    (tmp_path / "evil.zip").write_bytes(content.replace(b"evil.py~", b"evil.py\0"))
    refused(elsewhere, tmp_path, "does not belong")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR])
def test_links_and_devices_are_refused(packed, elsewhere, tmp_path, kind):
    with pack(tmp_path / "evil.zip", without(packed, "README.md")) as archive:
        link = zipfile.ZipInfo("README.md")
        link.external_attr = (kind | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refused(elsewhere, tmp_path, "a link, a folder or a device")


def test_a_name_that_occurs_twice_is_refused(packed, elsewhere, tmp_path):
    with pack(tmp_path / "evil.zip", packed) as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("README.md", packed["README.md"])
    refused(elsewhere, tmp_path, "occurs twice")


def test_a_name_in_two_spellings_is_refused(packed, elsewhere, tmp_path):
    pack(tmp_path / "evil.zip", listed({**packed, "rl/model/A.json": b"1", "rl/model/a.json": b"2"})).close()
    refused(elsewhere, tmp_path, "occurs twice")


def test_a_file_that_is_also_a_folder_is_refused(packed, elsewhere, tmp_path):
    pack(tmp_path / "evil.zip", listed({**packed, "rl/model/a.json": b"1", "rl/model/a.json/b.json": b"2"})).close()
    refused(elsewhere, tmp_path, "Not a directory|File exists")


def test_a_bomb_is_refused_by_its_ratio(packed, elsewhere, tmp_path):
    with pack(tmp_path / "evil.zip", without(packed, WEIGHTS)) as archive:
        archive.writestr(WEIGHTS, bytes(50 << 20), zipfile.ZIP_DEFLATED)
    refused(elsewhere, tmp_path, "unpack to more than 100 times its size")


def test_too_many_entries_are_refused(packed, elsewhere, tmp_path):
    pack(tmp_path / "evil.zip", {**packed, **{f"rl/model/{at}.txt": b"" for at in range(200)}}).close()
    refused(elsewhere, tmp_path, "a version has at most 101")


def test_a_directory_that_would_fill_the_memory_is_refused(packed, elsewhere, tmp_path):
    pack(tmp_path / "evil.zip", {**packed, **{f"rl/model/{at}{'x' * 200}.txt": b"" for at in range(20_000)}}).close()
    refused(elsewhere, tmp_path, "directory is larger than")


@pytest.mark.parametrize("limit", ["MAX_ARCHIVE", "MAX_UNPACKED"])
def test_what_is_too_large_is_refused(packed, elsewhere, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(entries, limit, 1 << 20)
    pack(tmp_path / "evil.zip", packed).close()
    refused(elsewhere, tmp_path, "is too large: at most")


def test_a_large_file_that_holds_no_tensors_is_refused(packed, elsewhere, tmp_path, monkeypatch):
    monkeypatch.setattr(entries, "MAX_SMALL", 1 << 10)
    pack(tmp_path / "evil.zip", packed).close()
    refused(elsewhere, tmp_path, "is larger than")


def test_an_entry_that_lies_about_its_size_is_refused(packed, elsewhere, tmp_path):
    pack(tmp_path / "evil.zip", packed).close()
    content = (tmp_path / "evil.zip").read_bytes()
    true, lie = (struct.pack("<I", size) for size in (len(packed[WEIGHTS]), 1 << 10))
    (tmp_path / "evil.zip").write_bytes(content.replace(true, lie))
    refused(elsewhere, tmp_path, "no whole zip archive|was changed")


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18), b"\x1f\x8b\x08\x00" + bytes(50)])
def test_what_is_no_archive_is_refused(elsewhere, tmp_path, content):
    (tmp_path / "evil.zip").write_bytes(content)
    refused(elsewhere, tmp_path, "no whole zip archive|has no manifest")


def test_a_damaged_archive_is_refused_in_words_wherever_the_damage_is(packed, elsewhere, tmp_path):
    small = without(packed, WEIGHTS)
    pack(tmp_path / "whole.zip", small).close()
    whole, chance = (tmp_path / "whole.zip").read_bytes(), random.Random(0)
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(chance.choice([1, 3, 30])):
            start = len(whole) - 1500 if chance.random() < 0.8 else 0  # most of the structure is at the end
            damaged[chance.randrange(start, len(whole))] = chance.randrange(256)
        end = chance.choice([len(whole), len(whole), chance.randrange(len(whole))])
        (tmp_path / "evil.zip").write_bytes(damaged[:end])
        refused(elsewhere, tmp_path, None)


def refused(library: Library, tmp_path: Path, message: str | None) -> None:
    before = set(tmp_path.rglob("*")) | {Path("/etc/evil.json")}
    with pytest.raises(SteerError, match=message):
        import_version(library, tmp_path / "evil.zip")
    after = set(tmp_path.rglob("*")) - {library.folder, library.folder / ".lock"}
    assert after <= before
    assert not Path("/etc/evil.json").exists()
    with library.store.reading() as session:
        assert versions.registered(session) == []
