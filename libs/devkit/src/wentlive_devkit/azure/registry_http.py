"""The simulated registry over HTTP: the challenge and the two exchanges of tokens, paging, and Azure's view of it."""

import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wentlive_devkit.azure.registry import BASIC_BYTES, SimulatedRegistry, StoredManifest

PAGE = 100
RESOURCE = (
    "/subscriptions/{subscription}/resourceGroups/{resource_group}"
    "/providers/Microsoft.ContainerRegistry/registries/{registry}"
)
SIGNATURE = "unsigned"
DISALLOWED = "The operation is disallowed on this registry, repository or image."


class RegistryFailed(Exception):
    """What the registry answers instead."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        body = {"errors": [{"code": code, "message": message}]}
        self.response = JSONResponse(body, status, headers=headers)


Handler = Callable[[Request], Awaitable[Response]]


def registry_routes(registry: SimulatedRegistry) -> list[Route]:
    """To be served beside the Resource Manager's routes, or alone."""
    return RegistryApi(registry).routes()


class RegistryApi:
    def __init__(self, registry: SimulatedRegistry) -> None:
        self._registry = registry

    def routes(self) -> list[Route]:
        manifest, listing = "/v2/{name:path}/manifests/{reference}", "/acr/v1/{name:path}/_manifests"
        return [
            Route("/oauth2/exchange", self._guarded("exchange", None, self.exchange), methods=["POST"]),
            Route("/oauth2/token", self._guarded("token", None, self.token), methods=["POST"]),
            Route("/acr/v1/{name:path}/_tags/{tag}", self._guarded("tag", "metadata_read", self.tag), methods=["GET"]),
            Route(listing, self._guarded("list", "metadata_read", self.list), methods=["GET"]),
            Route(manifest, self._guarded("manifest", "pull", self.manifest), methods=["GET"]),
            Route(manifest, self._guarded("delete", "delete", self.delete), methods=["DELETE"]),
            Route(f"{RESOURCE}/listUsages", self._guarded("usage", None, self.usage), methods=["GET"]),
        ]

    def _guarded(self, operation: str, permission: str | None, handler: Handler) -> Handler:
        async def endpoint(request: Request) -> Response:
            try:
                if permission:
                    self._check_token(request, f"repository:{request.path_params['name']}:{permission}")
                if status := self._registry.fault(operation):
                    raise RegistryFailed(status, "UNKNOWN", "It was told to fail.")
                return await handler(request)
            except RegistryFailed as failed:
                return failed.response

        return endpoint

    def _check_token(self, request: Request, scope: str) -> None:
        granted = request.headers.get("authorization", "").removeprefix("Bearer ")
        if granted != _token({"access": scope}):
            realm = f"{request.base_url}oauth2/token"
            challenge = f'Bearer realm="{realm}",service="{self._registry.host}",scope="{scope}"'
            message = "authentication required, visit https://aka.ms/acr/authorization for more information."
            raise RegistryFailed(401, "UNAUTHORIZED", message, {"WWW-Authenticate": challenge})

    async def exchange(self, request: Request) -> Response:
        """A Microsoft Entra token for a refresh token of the registry."""
        form = await _form(request)
        if form.get("grant_type") != "access_token" or not form.get("access_token"):
            raise RegistryFailed(401, "UNAUTHORIZED", "an access token is required")
        return JSONResponse({"refresh_token": _token({"exp": int(time.time()) + 3 * 3600})})

    async def token(self, request: Request) -> Response:
        """A refresh token for an access token of one scope."""
        form = await _form(request)
        if not form.get("refresh_token", "").endswith(SIGNATURE):
            raise RegistryFailed(401, "UNAUTHORIZED", "a refresh token is required")
        return JSONResponse({"access_token": _token({"access": form.get("scope")})})

    async def list(self, request: Request) -> Response:
        name = request.path_params["name"]
        stored = self._registry.repositories.get(name)
        if stored is None:
            raise RegistryFailed(404, "NAME_UNKNOWN", "repository name not known to registry")
        last, size = request.query_params.get("last", ""), int(request.query_params.get("n", PAGE))
        rest = sorted(digest for digest in stored if digest > last)
        page = [stored[digest].described() for digest in rest[:size]]
        headers: dict[str, str] = {}
        if len(rest) > size:
            headers["Link"] = f'<{request.url.path}?last={rest[size - 1]}&n={size}&orderby=>; rel="next"'
        return JSONResponse(self._about(name) | {"manifests": page}, headers=headers)

    async def tag(self, request: Request) -> Response:
        name, tag = request.path_params["name"], request.path_params["tag"]
        manifest = self._registry.find(name, tag)
        if manifest is None:
            raise RegistryFailed(404, "TAG_UNKNOWN", "the specified tag does not exist")
        return JSONResponse(self._about(name) | {"tag": manifest.tag_described(tag)})

    async def manifest(self, request: Request) -> Response:
        manifest = self._found(request)
        headers = {"Docker-Content-Digest": manifest.digest}
        return Response(manifest.body, media_type=manifest.media_type, headers=headers)

    async def delete(self, request: Request) -> Response:
        manifest = self._found(request)
        if manifest.locked:
            raise RegistryFailed(405, "UNSUPPORTED", DISALLOWED)
        self._registry.delete(request.path_params["name"], manifest.digest)
        return Response(status_code=202)

    async def usage(self, request: Request) -> Response:
        if request.path_params["registry"].lower() != self._registry.name:
            raise RegistryFailed(404, "ResourceNotFound", "The registry was not found.")
        return JSONResponse(
            {
                "value": [
                    {"name": "Size", "limit": BASIC_BYTES, "currentValue": self._registry.bytes, "unit": "Bytes"},
                    {"name": "Webhooks", "limit": 2, "currentValue": 0, "unit": "Count"},
                ]
            }
        )

    def _found(self, request: Request) -> StoredManifest:
        manifest = self._registry.find(request.path_params["name"], request.path_params["reference"])
        if manifest is None:
            raise RegistryFailed(404, "MANIFEST_UNKNOWN", "manifest is not found")
        return manifest

    def _about(self, name: str) -> dict[str, Any]:
        return {"registry": self._registry.host, "imageName": name}


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


def _token(claims: dict[str, Any]) -> str:
    """In the shape of a JWT: the client reads when it ends."""
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.{SIGNATURE}"
