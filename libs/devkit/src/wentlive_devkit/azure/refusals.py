"""Azure's refusals: the statuses, codes and words that were seen or are documented."""

from dataclasses import dataclass

from starlette.responses import JSONResponse, Response

from wentlive_devkit.azure.script import Trouble

PROVIDER = "Microsoft.ContainerInstance/containerGroups"


@dataclass(eq=False)
class Refused(Exception):
    """A request is answered by an error."""

    status: int
    code: str
    message: str
    retry_after: float | None = None

    def response(self) -> Response:
        headers = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
        return JSONResponse({"error": {"code": self.code, "message": self.message}}, self.status, headers=headers)


def not_found(name: str, resource_group: str) -> Refused:
    return Refused(
        404,
        "ResourceNotFound",
        f"The Resource '{PROVIDER}/{name}' under resource group '{resource_group}' was not found. For more details"
        " please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def quota(kind: str, region: str, limit: float, used: float, *, status: int = 400) -> Refused:
    return Refused(
        status,
        "ContainerGroupQuotaReached",
        f"Resource type '{PROVIDER}' container group quota '{kind}' exceeded in region '{region}'."
        f" Limit: '{limit:g}', Usage: '{used:g}' Requested: '1'.",
    )


def transitioning(name: str) -> Refused:
    return Refused(
        409,
        "ContainerGroupTransitioning",
        f"The container group '{name}' is still transitioning, please retry later.",
    )


def throttled(seconds: float) -> Refused:
    message = "The request was throttled. Please retry after the time the Retry-After header says."
    return Refused(429, "TooManyRequests", message, retry_after=seconds)


def invalid(message: str) -> Refused:
    return Refused(400, "InvalidRequestContent", message)


def scripted(trouble: Trouble, name: str, region: str, seconds: float) -> Refused:
    """The answer for a trouble that is an answer."""
    words = {
        "quota": lambda: quota("StandardCores", region, 10, 10),
        "quota_as_conflict": lambda: quota("StandardCores", region, 10, 10, status=409),
        "quota_as_unavailable": lambda: Refused(
            409,
            "ServiceUnavailable",
            f"Resource type '{PROVIDER}' container group quota 'ContainerGroups' exceeded in region '{region}'."
            " Limit: '0', Usage: '0' Requested: '1'.",
        ),
        "capacity": lambda: Refused(
            409,
            "ServiceUnavailable",
            f"The requested resource is not available in the location '{region}' at this moment. Please retry with a"
            " different resource request or in another location. Resource requested: '1' CPU '1' GB memory 'Linux' OS.",
        ),
        "throttled": lambda: throttled(seconds),
        "transitioning": lambda: transitioning(name),
        "internal": lambda: Refused(500, "InternalServerError", "Encountered internal server error."),
        "registry": lambda: Refused(
            409,
            "RegistryErrorResponse",
            "An error response is received from the docker registry 'index.docker.io'. Please retry later.",
        ),
        "inaccessible_image": lambda: Refused(
            400,
            "InaccessibleImage",
            f"The image in container group '{name}' is not accessible. Please check the image and registry credential.",
        ),
        "forbidden": lambda: Refused(
            403, "AuthorizationFailed", "The client does not have authorization to perform this action over the scope."
        ),
        "unavailable": lambda: Refused(503, "ServiceUnavailable", "The service is unavailable."),
    }
    return words[trouble]()
