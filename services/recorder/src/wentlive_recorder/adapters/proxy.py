"""The proxy that the environment names, looked up once a server: aiohttp would do it in threads for every request."""

from functools import lru_cache
from urllib.request import getproxies_environment, proxy_bypass

from yarl import URL


def proxy_to(url: str | URL) -> URL | None:
    """What HTTP_PROXY, HTTPS_PROXY and NO_PROXY say, in capitals or not. It may hold a password: never log it."""
    return looked_up(URL(url).origin() if isinstance(url, str) else url.origin())


@lru_cache(maxsize=256)
def looked_up(origin: URL) -> URL | None:
    proxies = getproxies_environment()
    named = proxies.get(origin.scheme)
    if named is None or proxy_bypass(f"{origin.host}:{origin.port}", proxies):
        return None
    return URL(named if "://" in named else f"http://{named}")
