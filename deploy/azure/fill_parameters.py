"""Fills main.parameters.json from the environment as the Azure Developer CLI does: `${NAME}` and `${NAME=default}`."""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parent / "main.parameters.json"
PLACE = re.compile(r"\$\{(\w+)(?:=([^}]*))?\}")
# A broker or a database of one's own is chosen by naming it.
CHOSEN_BY = {"WENTLIVE_BROKER": "WENTLIVE_BROKER_URL", "WENTLIVE_DATABASE": "WENTLIVE_DATABASE_URL"}


def filled(template: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """The parameters document; empty values stay empty, for they mean something to the template."""
    known = dict(environment)
    for name, url in CHOSEN_BY.items():
        if known.get(url) and not known.get(name):
            known[name] = "external"
    document: dict[str, Any] = json.loads(template)
    for parameter in document["parameters"].values():
        parameter["value"] = PLACE.sub(lambda place: known.get(place[1]) or place[2] or "", parameter["value"])
    return document


if __name__ == "__main__":
    json.dump(filled(TEMPLATE.read_text(encoding="utf-8"), os.environ), sys.stdout, indent=2)
