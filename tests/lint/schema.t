#!/usr/bin/python3
# The schema against a second opinion: python3-jsonschema finds it valid, and every spec that loads here is valid there too,
# so that editors do not mark what this program accepts.
import glob
import json
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
try:
    import jsonschema
    import yaml
except ImportError as e:
    print(f"1..0 # SKIP {e}: the schema has no second opinion; install python3-jsonschema and python3-yaml")
    sys.exit(0)

# Texts that need quotes in an editor and none here, and variables.
NOT_FOR_EDITORS = {"unquoted.yaml"}

results = []


def report(problems, text):
    for p in problems:
        print(f"# {p}")
    results.append(not problems)
    print(f"{'not ' if problems else ''}ok {len(results)} - {text}")


class Loader(yaml.SafeLoader):
    """YAML 1.2's core types, as editors have them: on, yes and 22:22 are texts."""


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))

with open("schema/cluster.schema.json") as f:
    schema = json.load(f)
with open("schema/settings.schema.json") as f:
    settings = json.load(f)


def undescribed(node, path="", names=False):
    """Paths of properties without a description."""
    if isinstance(node, list):
        for i, item in enumerate(node):
            yield from undescribed(item, f"{path}/{i}")
    elif isinstance(node, dict):
        for key, value in node.items():
            if names and "description" not in value and "$ref" not in value:
                yield f"{path}/{key} has no description"
            if names or key not in ("default", "examples", "enum", "const", "required", "dependentRequired"):
                yield from undescribed(value, f"{path}/{key}", not names and key == "properties")


def errors(path, against=schema):
    with open(path, encoding="utf-8") as f:
        spec = yaml.load(f, Loader)
    for e in jsonschema.Draft202012Validator(against).iter_errors(spec):
        yield f"{path}: {'.'.join(map(str, e.path))}: {e.message[:200]}"


for name, each in ("the schema", schema), ("the settings' schema", settings):
    try:
        jsonschema.Draft202012Validator.check_schema(each)
        invalid = []
    except jsonschema.SchemaError as e:
        invalid = [e.message]
    report(invalid, f"{name} is valid JSON Schema 2020-12")
    report(list(undescribed(each)), f"every property of {name} has a description")
for path in "examples/secrets/reconcile.yaml", "examples/systemd/reconcile.yaml":
    report(list(errors(path, settings)), f"the settings in {path} are valid")
specs = [p for p in sorted(glob.glob("tests/cases/spec/good/*.yaml") + glob.glob("examples/*/cluster*.yaml"))
         if os.path.basename(p) not in NOT_FOR_EDITORS]
report([] if specs else ["no specs found"], f"there are {len(specs)} specs to look at")
for path in specs:
    report(list(errors(path)), f"{path} is valid")
# A key that is an error here must be one there: x-error is a keyword of ours that editors do not know.
refused = glob.glob("tests/cases/spec/bad/*-compose-keys-swarm-ignores.yaml")
found = [e for path in refused for e in errors(path) if "should not be valid" in e]
report([] if len(found) > 20 else [f"{len(found)} errors"], "editors mark the keys that Swarm ignores")
print(f"1..{len(results)}")
sys.exit(not all(results))
