"""What handlers work with: the use cases, and what is known about this installation."""

from __future__ import annotations

from dataclasses import dataclass, field

from access.authentication import Authenticator
from database.pool import Database
from jobservice.coordination import RateLimits
from jobservice.endpoints import Endpoints
from jobservice.following import Follower
from jobservice.health import Health
from jobservice.hooks import Hooks
from jobservice.immutable_rules import ImmutableRules
from jobservice.jobs.retention_places import Places
from jobservice.metrics import Metrics
from jobservice.policies import Policies
from jobservice.projects import Projects
from registry.service import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What this installation says about itself; `external_url` is empty when nobody gave one."""

    version: str
    external_url: str
    metrics_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that a handler may ask."""

    database: Database
    authenticator: Authenticator
    endpoints: Endpoints
    policies: Policies
    projects: Projects
    immutable_rules: ImmutableRules
    hooks: Hooks
    metrics: Metrics
    follower: Follower
    health: Health
    installation: Installation
    registry: Registry
    places: Places
    rates: RateLimits | None = None
