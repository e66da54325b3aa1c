"""One way to log: structured events, JSON unless a person watches, third parties included, secrets masked."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

MASK = "**********"

_SECRET_KEY = re.compile(
    r"(password|secret|token|authorization|cookie|account_?key|connection_string|sas)$", re.IGNORECASE
)
# A SAS signature, stream signature, bearer token, or user:password in a URL, wherever it stands in a text.
_SECRET_TEXT = re.compile(
    r"(?P<keep>[?&](?:sig|sign|signature|x-signature|skoid|token|access_token)=)[^&\s\"']+"
    r"|(?P<bearer>\bBearer\s+)[\w.~+/=-]+"
    r"|(?P<key>\b(?:AccountKey|SharedAccessSignature)=)[^;\s\"']+"
    r"|(?P<user>\b\w+://[^:/@\s]+:)[^@/\s]+(?=@)",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Masks what gives access in a text: signatures and tokens in URLs, bearer tokens, keys, passwords."""
    return _SECRET_TEXT.sub(lambda m: f"{m['keep'] or m['bearer'] or m['key'] or m['user']}{MASK}", text)


def _redact_value(key: str, value: object) -> object:
    if _SECRET_KEY.search(key):
        return MASK
    match value:
        case str():
            return redact(value)
        case bytes():
            return redact(value.decode(errors="replace"))
        case dict():
            return {str(k): _redact_value(str(k), v) for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            return [_redact_value(key, v) for v in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case None | bool() | int() | float():
            return value
        case _:
            return redact(str(value))


def redact_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: masks by key and by content, in nested values and rendered tracebacks too."""
    # `_record` and `_from_structlog` are the formatter's own bookkeeping.
    return {k: v if k.startswith("_") else _redact_value(k, v) for k, v in event.items()}


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(service: str, *, level: str = "INFO", style: Literal["auto", "json", "console"] = "auto") -> None:
    """Routes structlog and the standard library's loggers to standard error, one line an event."""
    console = style == "console" or (style == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(service, structlog.dev.ConsoleRenderer() if console else None))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These say at INFO what our own events say better, and put whole URLs into it.
    for chatty in ("httpx", "httpcore", "azure", "uvicorn", "pymongo"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # An error line for each connection attempt while a broker is away; the bus says that once.
    for noisy in ("aio_pika", "aiormq"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def json_formatter(service: str) -> logging.Formatter:
    """For a handler of one's own: the same lines as `configure_logging` writes, always JSON, secrets masked."""
    return _formatter(service, None)


def _formatter(service: str, renderer: Any) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _add_service(service),
            redact_secrets,
            renderer or structlog.processors.JSONRenderer(),
        ],
    )


def _add_service(service: str) -> structlog.types.Processor:
    def processor(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    return processor
