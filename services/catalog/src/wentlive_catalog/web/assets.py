"""Static files: their addresses change with their content, so that browsers may keep them for ever."""

import hashlib
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).resolve().parents[1] / "static"
FOR_EVER = "public, max-age=31536000, immutable"


class Assets(StaticFiles):
    """Serves `static/` openly: nothing in it is anybody's."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        fixed = path.startswith("vendor/") or b"v=" in scope["query_string"]
        response.headers["cache-control"] = FOR_EVER if fixed else "public, max-age=60"
        return response


class AssetUrls:
    """`/static/app.css?v=1a2b3c4d`; hashed once a process."""

    def __init__(self) -> None:
        self._urls: dict[str, str] = {}

    def __call__(self, path: str) -> str:
        if path not in self._urls:
            digest = hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:8]
            self._urls[path] = f"/static/{path}" if path.startswith("vendor/") else f"/static/{path}?v={digest}"
        return self._urls[path]
