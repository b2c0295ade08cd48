"""The JSON schemas that editors complete a `steer.yaml` by."""

import re

import pytest

from core.training.workspace import FILE
from tests.schemas import schemas

SCHEMAS = schemas()


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.parent.parent.name)
def test_the_schema_beside_a_template_is_that_of_its_app(file):
    assert file.read_text(encoding="utf-8") == SCHEMAS[file], "it is out of date: run `make schemas`"


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.parent.parent.name)
def test_template_and_example_name_the_schema_to_editors(file):
    for folder in (file.parent, file.parent.with_name("example")):
        named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", (folder / FILE).read_text(encoding="utf-8"))
        assert named is not None
        assert (folder / named[1]).resolve() == file.resolve()
