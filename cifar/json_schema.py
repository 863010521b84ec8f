"""JSON schemas (draft 2020-12) of the files of conf/, with which editors complete and check them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

from cifar import files
from cifar.config import Config, vocabulary
from cifar.places import CONF
from cifar.schema import Section, names, sections
from cifar.sweeps.launchers import Launcher

FOLDER = CONF / "schemas"
WHOLE = "config"  # the schema of conf/config.yaml, of studies, and of all files with `# @package _global_`

_INTERPOLATION = {
    "description": "An interpolation such as ${oc.env:NAME,default}, or ??? for a value that has to be given.",
    "type": "string",
    "pattern": r"\$\{.+\}|^\?\?\?$",
}
_DEFAULTS = {
    "description": "Hydra's defaults list: the files that this one builds on, such as `override /optimizer: adamw`.",
    "type": "array",
    "items": {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "additionalProperties": {"type": ["string", "null", "array"]}},
        ]
    },
}
_HYDRA = {"description": "Settings of Hydra itself: mode, sweeper, launcher, …", "type": "object"}


def groups() -> list[str]:
    """What there are schemas for: the whole config, and each group whose files hold a section."""
    return [WHOLE, *(group for group in Config.model_fields if group in vocabulary().groups), "hydra/launcher"]


def schema(group: str = WHOLE) -> dict[str, Any]:
    """The JSON schema of a group's files. Everything may be left out, since files are merged."""
    if group == WHOLE:
        section: Any = Config
    else:
        kind = Launcher if group == "hydra/launcher" else Config.model_fields[group].annotation
        tagged: Any = Annotated[kind, Field(discriminator="name")] if len(sections(kind)) > 1 else kind
        section = create_model("Files", __base__=Section, files=(tagged, ...))
    made = section.model_json_schema()
    definitions = {name: _partial(one) for name, one in made.pop("$defs", {}).items()}
    if group == WHOLE:
        root = _partial(made)
        root["properties"] |= {"defaults": _DEFAULTS, "hydra": _HYDRA}
    else:
        root = _choice(sections(kind), made["properties"]["files"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A config of train.py" if group == WHOLE else f"A choice of {group}",
        **root,
        "$defs": {**definitions, "interpolation": _INTERPOLATION},
    }


def text(group: str = WHOLE) -> str:
    """The schema as a file holds it."""
    return json.dumps(schema(group), indent=1, ensure_ascii=False) + "\n"


def write_all(folder: Path) -> None:
    """Write the schemas of all groups: GROUP.json, with - for the / of a group's name."""
    folder.mkdir(parents=True, exist_ok=True)
    for group in groups():
        with files.replaced(folder / file_name(group)) as temporary:
            temporary.write_text(text(group), encoding="utf-8")


def file_name(group: str) -> str:
    """`hydra-launcher.json`."""
    return f"{group.replace('/', '-')}.json"


def header(path: Path) -> str:
    """The line by which yaml-language-server finds the schema of a file below conf/ or experiments/."""
    is_study = path.parent.name == "experiments"
    whole = is_study or path.parent == CONF or "# @package _global_" in path.read_text(encoding="utf-8")
    group = WHOLE if whole else path.relative_to(CONF).parent.as_posix()
    above = "../conf" if is_study else "/".join([".."] * len(path.relative_to(CONF).parent.parts)) or "."
    return f"# yaml-language-server: $schema={above}/schemas/{file_name(group)}"


def _partial(schema: Any) -> Any:
    """A section's schema in which everything may be left out or be an interpolation."""
    if "properties" not in schema:
        return schema
    parts = {name: _value(name, part) for name, part in schema["properties"].items()}
    kept = {key: part for key, part in schema.items() if key not in ("required", "title", "properties")}
    return {**kept, "properties": parts}


def _value(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a key's value, with its meaning."""
    meaning = " ".join(schema.get("description", "").split())
    bare = {key: part for key, part in schema.items() if key not in ("title", "default", "description")}
    if "oneOf" in bare:  # a choice: without its name, the file of the group says which
        bare = _choice(sections(Config.model_fields[name].annotation), bare)
    said = {"description": meaning} if meaning else {}
    if bare == {"type": "string"}:
        return {**said, **bare}
    alternatives = bare["anyOf"] if set(bare) == {"anyOf"} else [bare]
    return {**said, "anyOf": [*alternatives, {"$ref": "#/$defs/interpolation"}]}


def _choice(parts: Sequence[type[BaseModel]], schema: dict[str, Any]) -> dict[str, Any]:
    """One of several sections by its name, so that a mistake is reported in the section that was meant."""
    if len(parts) == 1:
        return schema
    mapping = schema["discriminator"]["mapping"]
    known = [name for part in parts for name in names(part)]
    of_name = [
        {"if": {"properties": {"name": {"const": name}}, "required": ["name"]}, "then": {"$ref": mapping[name]}}
        for name in known
    ]
    either = [{"$ref": reference} for reference in dict.fromkeys(mapping.values())]
    return {
        "type": "object",
        "properties": {"name": {"enum": known}},
        "allOf": [*of_name, {"if": {"required": ["name"]}, "else": {"anyOf": either}}],
    }
