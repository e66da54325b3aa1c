"""`python -m wentlive_catalog.openapi > docs/openapi.json` writes the API's document; a test says when it is stale."""

import json
import sys

from wentlive_catalog.app import openapi_document


def document_text() -> str:
    return json.dumps(openapi_document(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document_text())
