"""docs/proxy.schema.json as editors and pipelines use it, with check-jsonschema. SchemaCorpusTests.swift tries the loader of
proxy.conf with the same files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

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


EXAMPLE = ROOT / "proxy.conf.example"


def whole_example():
    """The example with the settings that are commented out in it."""
    text = re.sub(r"(?m)^( *)# ( *(?:- )?[a-z_]+:( |$))", r"\1\2", EXAMPLE.read_text())
    assert text != EXAMPLE.read_text()
    return text


def test_the_example_is_accepted_as_it_is_and_with_all_that_is_commented_out(tmp_path):
    whole = tmp_path / "whole.conf"
    whole.write_text(whole_example())
    assert rejected([EXAMPLE, whole]) == {}


def settings_used(value, schema, definitions, section=""):
    """Which settings of which section `value` has: pairs of the section's definition, "" for the top level, and the name."""
    if "$ref" in schema:
        section = schema["$ref"].removeprefix("#/definitions/")
        schema = definitions[section]
    used = set()
    for alternative in schema.get("anyOf", []):
        used |= settings_used(value, alternative, definitions, section)
    if isinstance(value, list) and "items" in schema:
        for item in value:
            used |= settings_used(item, schema["items"], definitions, section)
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in schema.get("properties", {}):
                used.add((section, name))
                used |= settings_used(inner, schema["properties"][name], definitions, section)
            elif isinstance(schema.get("additionalProperties"), dict):
                used |= settings_used(inner, schema["additionalProperties"], definitions, section)
    return used


def every_setting(schema):
    every = {("", name) for name in schema["properties"]}
    return every | {(section, name) for section, inner in schema["definitions"].items() for name in inner["properties"]}


def test_the_example_has_every_setting_of_each_section():
    schema = json.loads(SCHEMA.read_text())
    used = settings_used(YAML(typ="safe").load(whole_example()), schema, schema["definitions"])
    # What cannot stand beside another setting of the example.
    [syslog] = re.findall(r"(?m)^  # or, instead of file: (syslog: \{.*?\})", EXAMPLE.read_text())
    used |= settings_used({"log": YAML(typ="safe").load(syslog)}, schema, schema["definitions"])
    # The timeouts of a route are some of the proxy's own, and beside the newer name the older one is a mistake.
    missing = every_setting(schema) - used - {("timeouts", "upstream_idle")}
    assert {(section, name) for section, name in missing if section != "route_timeouts"} == set()


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


def test_the_good_files_have_every_setting_of_each_section():
    schema = json.loads(SCHEMA.read_text())
    used = set()
    for path in files("good"):
        used |= settings_used(YAML(typ="safe").load(path), schema, schema["definitions"])
    assert every_setting(schema) - used == set()
