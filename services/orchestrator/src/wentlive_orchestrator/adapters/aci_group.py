"""The container group that is asked for to run a recorder."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from azure.mgmt.containerinstance import models
from wentlive_common.job import RecordingJob

from wentlive_orchestrator.aci_settings import AciSettings
from wentlive_orchestrator.adapters.aci_group_view import APP
from wentlive_orchestrator.ports import AttemptSpec

CONTAINER = "recorder"
JOB = "WENTLIVE_RECORDER_JOB"


def group_for(
    settings: AciSettings,
    region: str,
    spec: AttemptSpec,
    job: RecordingJob,
    env: Mapping[str, str],
    now: datetime,
) -> models.ContainerGroup:
    """All variables are secure: the job holds tokens, and a recorder's settings may hold a proxy's password."""
    variables = {**env, JOB: job.to_secret_json().decode()}
    requests = models.ResourceRequests(cpu=settings.cpu, memory_in_gb=settings.memory_gb)
    container = models.Container(
        name=CONTAINER,
        image=settings.image,
        resources=models.ResourceRequirements(requests=requests),
        environment_variables=[models.EnvironmentVariable(name=k, secure_value=v) for k, v in variables.items()],
    )
    return models.ContainerGroup(
        location=region,
        containers=[container],
        os_type="Linux",
        # Even so a container that ended in an error may be started again: the recorder is safe against that.
        restart_policy="Never",
        priority=settings.priority if settings.priority != "Regular" else None,
        tags=tags_for(settings, spec, now),
        **_pulled_by(settings),
    )


def tags_for(settings: AciSettings, spec: AttemptSpec, now: datetime) -> dict[str, str]:
    """Whose it is and how long it may live: all that a list tells about its age."""
    created = int(now.timestamp())
    return {
        "app": APP,
        "deployment": settings.deployment,
        "recording": spec.recording_id,
        "attempt": str(spec.number),
        "created-at": str(created),
        "delete-after": str(created + int(settings.longest_life)),
    }


def _pulled_by(settings: AciSettings) -> dict[str, Any]:
    identity = settings.identity_id
    if identity is None:
        return {}
    return {
        "identity": models.ContainerGroupIdentity(
            type="UserAssigned", user_assigned_identities={identity: models.UserAssignedIdentities()}
        ),
        "image_registry_credentials": [models.ImageRegistryCredential(server=settings.registry, identity=identity)],
    }
