"""docs/proxy.schema.json as editors and pipelines use it, with check-jsonschema. SchemaCorpusTests.swift tries the loader of
proxy.conf with the same files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs/proxy.schema.json"
CORPUS = ROOT / "Tests/Corpus/schema"


def check_jsonschema(*arguments):
    return subprocess.run([sys.executable, "-m", "check_jsonschema", *map(str, arguments)], capture_output=True, text=True)


def rejected(files):
    """The files that the schema rejects, with the reasons. Files that are no YAML are an error."""
    arguments = ["--schemafile", SCHEMA, "--default-filetype", "yaml", "--output-format", "json"]
    run = check_jsonschema(*arguments, *files)
    assert run.returncode in (0, 1), run.stderr + run.stdout
    result = json.loads(run.stdout)
    assert result.get("parse_errors", []) == []
    reasons = {}
    for error in result["errors"]:
        reasons.setdefault(error["filename"], []).append(f"{error['path']}: {error['message']}")
    assert (run.returncode == 1) == bool(reasons)
    return reasons


def files(kind):
    found = sorted((CORPUS / kind).glob("*.conf"))
    assert len(found) > 50
    return found


def test_the_schema_is_one():
    run = check_jsonschema("--check-metaschema", SCHEMA)
    assert run.returncode == 0, run.stdout + run.stderr


def test_good_files_are_accepted():
    assert rejected(files("good")) == {}


def test_bad_files_are_rejected():
    bad = files("bad")
    reasons = rejected(bad)
    assert [path.name for path in bad if str(path) not in reasons] == []


def test_the_example_is_accepted_as_it_is_and_with_all_that_is_commented_out(tmp_path):
    example = ROOT / "proxy.conf.example"
    text = re.sub(r"(?m)^( *)# ( *(?:- )?[a-z_]+:( |$))", r"\1\2", example.read_text())
    assert text != example.read_text()
    whole = tmp_path / "whole.conf"
    whole.write_text(text)
    assert rejected([example, whole]) == {}


def examples_of_the_reference():
    """Each example of docs/configuration.md; what it leaves out is that of the first one, the smallest file."""
    blocks = re.findall(r"(?s)```yaml\n(.*?)```", (ROOT / "docs/configuration.md").read_text())
    assert len(blocks) > 20
    sections = [dict(re.findall(r"(?m)^([a-z_]+)(:.*\n(?:[ #].*\n|\n)*)", block)) for block in blocks]
    return ["".join(name + text for name, text in {**sections[0], **example}.items()) for example in sections]


def test_the_examples_of_the_reference_are_accepted(tmp_path):
    paths = []
    for number, text in enumerate(examples_of_the_reference()):
        paths.append(tmp_path / f"{number}.conf")
        paths[-1].write_text(text)
    assert rejected(paths) == {}


@pytest.mark.parametrize("setting", ["listn", "Listen", "connections"])
def test_a_setting_that_does_not_belong_there_is_named(tmp_path, setting):
    path = tmp_path / "proxy.conf"
    path.write_text(f"{setting}: 1\nroutes:\n  - {{ name: a, match: a.internal, credentials: none }}\n")
    assert any(f"'{setting}' was unexpected" in reason for reason in rejected([path])[str(path)])
