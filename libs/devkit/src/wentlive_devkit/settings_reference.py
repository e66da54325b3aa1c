"""Writes docs/configuration.md from the settings' classes, so that the page cannot say what is not so.

`python -m wentlive_devkit.settings_reference > docs/configuration.md`
"""

import ast
import inspect
import itertools
import json
import sys
import textwrap
import types
from collections.abc import Iterator
from enum import Enum
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python
from wentlive_catalog.settings import CatalogSettings
from wentlive_common.settings import Settings
from wentlive_orchestrator.settings import OrchestratorSettings
from wentlive_recorder.settings import RecorderSettings
from wentlive_watcher.settings import WatcherSettings

SERVICES: dict[str, type[Settings]] = {
    "Catalog": CatalogSettings,
    "Orchestrator": OrchestratorSettings,
    "Watcher": WatcherSettings,
    "Recorder": RecorderSettings,
}
_LEFT_OUT = " A group that may be left out; what is required in it is so where any of it is set."
_ANY = 1e12
INTRODUCTION = """\
# Configuration

Written by `make docs` from the settings' classes; a test holds it to them.

Each setting is an environment variable. A secret is better a file of the variable's name, in lower case, in the folder
that `WENTLIVE_SECRETS_DIR` names (`/run/secrets` under Compose): a process's environment can be read by more than the
process. An empty value is none. Lists and maps are JSON; two underscores lead into a group (`…_ACI__IMAGE`). Times are
in seconds where nothing else is said; `P14D` is fourteen days and `PT4H` four hours, by ISO 8601. A service that is set
wrongly does not start, says which setting is wrong and why, and never prints the value.

The recorders' settings are given to the orchestrator: `WENTLIVE_ORCHESTRATOR_RECORDER__READ_TIMEOUT=30` is every
recorder's `WENTLIVE_RECORDER_READ_TIMEOUT`. `RECORDER` in its table is that map.
"""
ORIGIN = """
## Names of tiktok-stream-recording

Where a setting of our own is missing, these are taken, so that its users can move without renaming anything. Those for
container groups count for `WENTLIVE_ORCHESTRATOR_RUNTIME=aci` only.

| name | becomes |
|---|---|
| `STORAGE_CONNECTION`, `AZURE_STORAGE_CONNECTION_STRING` | `storage_connection_string` of catalog and orchestrator |
| `STORAGE_ACCOUNT_NAME` with `STORAGE_ACCOUNT_KEY` | the same |
| `SUBSCRIPTION_ID`, `RESOURCE_GROUP` | `aci__subscription_id`, `aci__resource_group` |
| `LOCATION` | `aci__regions`; `West Europe` is taken for `westeurope` |
| `CONTAINER_REGISTRY_NAME` with `IMAGE_NAME` | `aci__image`; `IMAGE_NAME` has to hold a digest: `recorder@sha256:…` |
| `CREDENTIAL_TENANT_ID`, `CREDENTIAL_CLIENT_ID` | `aci__tenant_id`, `aci__client_id` |
| `CREDENTIAL_CLIENT_SECRET` | `aci__client_secret`, and `aci__credential=client_secret` |

`CONTAINER_REGISTRY_USERNAME` and `CONTAINER_REGISTRY_PASSWORD` are not taken: an image is pulled by an identity
(`aci__identity_id`). Nor are the names of its web app and of its recorder, which have no counterpart.
"""


def page() -> str:
    return INTRODUCTION + "".join(_section(name, kind) for name, kind in SERVICES.items()) + ORIGIN


def _section(name: str, kind: type[Settings]) -> str:
    prefix = str(kind.model_config.get("env_prefix"))
    rows = "\n".join(_rows(kind, prefix))
    return f"\n## {name}\n\n| variable | default | |\n|---|---|---|\n{rows}\n"


def _rows(kind: type[BaseModel], prefix: str) -> Iterator[str]:
    words = _docstrings(kind)
    schema = kind.model_json_schema(mode="validation")["properties"]
    for name, field in kind.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        group = _group(field.annotation)
        if group:
            left_out = "" if field.is_required() or field.get_default() is not None else _LEFT_OUT
            yield f"| `{variable}__…` | | {_cell(words.get(name, '') + left_out)} |"
            yield from _rows(group, f"{variable}__")
            continue
        told = " ".join(part for part in (_limits(schema[name], field), _cell(words.get(name, ""))) if part)
        yield f"| `{variable}` | {_default(field)} | {told} |"


def _group(annotation: Any) -> type[BaseModel] | None:
    """The model of a group of settings, also where the group may be left out."""
    choices = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    found = [kind for kind in choices if inspect.isclass(kind) and issubclass(kind, BaseModel)]
    return found[0] if found else None


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default is PydanticUndefined:
        return "none"
    if isinstance(default, Enum | str):
        return f"`{getattr(default, 'value', default)}`"
    plain = to_jsonable_python(default)
    if isinstance(plain, float) and plain.is_integer():
        plain = int(plain)
    return f"`{plain if isinstance(plain, str) else json.dumps(plain)}`"


def _limits(schema: dict[str, Any], field: FieldInfo) -> str:
    """What a value may be, as far as a row has room for it."""
    one = next((kind for kind in schema.get("anyOf", ()) if kind.get("type") != "null"), schema)
    if "SecretStr" in repr(field.annotation):
        return "*Secret.*"
    if "enum" in one:
        return " or ".join(f"`{value}`" for value in one["enum"]) + "."
    bounds = [
        f"{sign} {one[key]:,g}"
        for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
        if key in one and one[key] < _ANY
    ]
    return f"{', '.join(bounds)}." if bounds else ""


def _docstrings(kind: type[BaseModel]) -> dict[str, str]:
    """The string literals that stand below fields, of base classes too."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not issubclass(base, BaseModel) or base.__module__.startswith("pydantic"):
            continue
        [node] = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        statements = node.body if isinstance(node, ast.ClassDef) else []
        for field, below in itertools.pairwise(statements):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = text
                case _:
                    pass
    return found


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
