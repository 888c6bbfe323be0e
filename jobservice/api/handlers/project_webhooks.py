"""Harbor's tag `webhook`, for a project: the handlers of `webhooks`, beneath the project's path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from pydantic import BaseModel

from jobservice.api.handlers import webhooks
from jobservice.api.models import webhook as models
from jobservice.api.models.base import ById, Nothing
from jobservice.api.models.project import ProjectPath
from jobservice.api.router import API_ROOT, Route

ROOT: Final = f"{API_ROOT}/projects/{{project_name_or_id}}/webhook"
PATHS: Final[Mapping[type[BaseModel], type[BaseModel]]] = {
    Nothing: ProjectPath,
    ById: models.ProjectHookPath,
    models.HookExecutionPath: models.ProjectHookExecutionPath,
    models.HookTaskPath: models.ProjectHookTaskPath,
    models.HookDeliveryPath: models.ProjectHookDeliveryPath,
}
# What Harbor calls the operations that it has.
OPERATIONS: Final[Mapping[str, str]] = {
    "getSystemSupportedEventTypes": "GetSupportedEventTypes",
    "listSystemWebhookPolicies": "ListWebhookPoliciesOfProject",
    "createSystemWebhookPolicy": "CreateWebhookPolicyOfProject",
    "getSystemWebhookPolicy": "GetWebhookPolicyOfProject",
    "updateSystemWebhookPolicy": "UpdateWebhookPolicyOfProject",
    "deleteSystemWebhookPolicy": "DeleteWebhookPolicyOfProject",
    "listExecutionsOfSystemWebhookPolicy": "ListExecutionsOfWebhookPolicy",
    "listTasksOfSystemWebhookExecution": "ListTasksOfWebhookExecution",
    "getLogsOfSystemWebhookTask": "GetLogsOfWebhookTask",
    "systemLastTrigger": "LastTrigger",
    "testSystemWebhookPolicy": "testWebhookPolicyOfProject",
    "listHookDeliveries": "listHookDeliveriesOfProject",
    "getHookDelivery": "getHookDeliveryOfProject",
    "redeliverHook": "redeliverHookOfProject",
}


def _routes() -> Iterator[Route]:
    for route in webhooks.ROUTES:
        beneath = route.path.removeprefix(webhooks.ROOT)
        yield replace(
            route,
            path=f"{ROOT}{beneath.replace('{id}', '{webhook_policy_id}')}",
            operation_id=OPERATIONS[route.operation_id],
            parameters=PATHS[route.parameters],
            errors=tuple(sorted({404, *route.errors})),
        )


ROUTES = tuple(_routes())
