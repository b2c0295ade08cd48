"""The Dockerfile and the compose file, as far as they can be checked without Docker."""

import json
import re
from pathlib import Path

import pytest
import yaml

from core.platform import timeouts
from tests.command import steer

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = re.findall(r"^([A-Z]+) (.*)$", re.sub(r"\\\n\s*", "", DOCKERFILE), re.MULTILINE)

# The keys of the Compose Specification that may stand in each place; those of "services" are a choice of ours.
TOP = {"name", "services", "secrets", "volumes", "networks", "configs", "include"}
SERVICE = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "logging", "ports",
    "restart", "secrets", "security_opt", "stop_grace_period", "volumes",
}  # fmt: skip
HEALTHCHECK = {"test", "interval", "timeout", "retries", "start_period", "start_interval", "disable"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
DURATION = re.compile(r"(\d+h)?(\d+m)?(\d+s)?")


def instructions(name: str) -> list[str]:
    return [text for each, text in INSTRUCTIONS if each == name]


def command() -> list[str]:
    """What a container runs."""
    return [*json.loads(instructions("ENTRYPOINT")[-1]), *json.loads(instructions("CMD")[-1])]


def services() -> list[tuple[str, dict]]:
    return list(COMPOSE["services"].items())


def test_the_compose_file_uses_documented_keys_only():
    assert {key for key in COMPOSE if not key.startswith("x-")} <= TOP
    for _, service in services():
        assert service.keys() <= SERVICE
        check = service.get("healthcheck", {})
        assert check.keys() <= HEALTHCHECK
        assert all(DURATION.fullmatch(check[key]) for key in ("interval", "timeout", "start_period") if key in check)
        assert DURATION.fullmatch(service["stop_grace_period"])


def test_every_service_secret_and_volume_that_is_named_exists():
    for _, service in services():
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
        assert {volume.split(":")[0] for volume in service["volumes"]} <= COMPOSE["volumes"].keys()
        files = [value for value in service.get("environment", {}).values() if value.startswith("/run/secrets/")]
        assert {file.removeprefix("/run/secrets/") for file in files} == set(service.get("secrets", []))


def test_what_is_waited_for_says_when_it_is_healthy():
    for name, wait in COMPOSE["services"]["steer"]["depends_on"].items():
        assert wait["condition"] in CONDITIONS
        assert COMPOSE["services"][name]["healthcheck"]["test"][0] == "CMD"


def test_only_this_machine_reaches_the_server_and_nobody_its_databases():
    assert {name: service.get("ports") for name, service in services()} == {
        "steer": ["127.0.0.1:7860:7860"],
        "postgres": None,
        "redis": None,
    }


def test_secrets_come_from_files():
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    for _, service in services():
        for variable in service.get("environment", {}):
            assert variable.endswith("_FILE") or not re.search("PASSWORD|SECRET|STORE", variable)
    assert not re.search("(?i)password|secret", DOCKERFILE)


def test_the_server_gets_more_time_to_stop_than_it_gives_its_requests():
    assert COMPOSE["services"]["steer"]["stop_grace_period"] == "1m"
    assert timeouts.GRACE_SECONDS + timeouts.ENGINE_SECONDS <= 30


def test_the_image_copies_files_that_exist_and_that_docker_is_let_see():
    seen = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for text in instructions("COPY") if "--from" not in text for name in text.split()[:-1]}
    assert copied == seen
    assert all((ROOT / name).exists() for name in copied)


def test_the_image_has_the_pytorch_of_the_makefile():
    (torch,) = re.findall(r"torch==[\d.]+", DOCKERFILE)
    assert torch in (ROOT / "Makefile").read_text()


def test_the_image_installs_extras_that_exist():
    from importlib.metadata import metadata

    (extras,) = re.findall(r"EXTRAS=(\S+)", DOCKERFILE)
    assert set(extras.split(",")) <= set(metadata("steer").get_all("Provides-Extra"))


def test_the_container_runs_a_command_that_steer_has():
    name, verb, *options = command()
    assert name == "steer"
    done = steer(verb, "--help")
    for option in options:
        if option.startswith("--"):
            assert re.search(rf"{option}\b", done.stdout), option
    (port,) = instructions("EXPOSE")
    assert f"[default: {port}]" in done.stdout


def test_the_container_does_not_run_as_root():
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert f"--uid {user.split(':')[0]} " in DOCKERFILE


def test_what_must_outlive_the_container_lies_on_its_volume():
    (volume,) = instructions("VOLUME")
    kept = [value for key, value in re.findall(r"(STEER_\w+_DIR)=(\S+)", DOCKERFILE)]
    assert len(kept) == 2
    assert all(folder.startswith(f"{volume}/") for folder in kept)
    assert f"data:{volume}" in COMPOSE["services"]["steer"]["volumes"]


@pytest.mark.parametrize(
    "variable", sorted(set(re.findall(r"STEER_\w+", DOCKERFILE + (ROOT / "compose.yaml").read_text())))
)
def test_every_variable_that_is_set_is_read_and_explained(variable):
    assert any(
        f'"{variable}"' in file.read_text() for folder in ("core", "apps") for file in (ROOT / folder).rglob("*.py")
    )
    assert f"`{variable}`" in (ROOT / "docs" / "operations.md").read_text()
