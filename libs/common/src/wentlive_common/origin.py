"""The environment names of tiktok-stream-recording, so that whoever ran it can move without renaming anything."""

from collections.abc import Mapping
from typing import Any

CONNECTIONS = ("AZURE_STORAGE_CONNECTION_STRING", "STORAGE_CONNECTION")


def storage_of_origin(environment: Mapping[str, str]) -> dict[str, Any]:
    """`storage_connection_string`, of a connection string or of an account and its key; nothing where neither is."""
    for name in CONNECTIONS:
        if name in environment:
            return {"storage_connection_string": environment[name]}
    account, key = environment.get("STORAGE_ACCOUNT_NAME"), environment.get("STORAGE_ACCOUNT_KEY")
    if not account or not key:
        return {}
    parts = ("DefaultEndpointsProtocol=https", f"AccountName={account}", f"AccountKey={key}")
    return {"storage_connection_string": ";".join((*parts, "EndpointSuffix=core.windows.net"))}
