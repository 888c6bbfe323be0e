"""Every error of this floor, as one tree.

JobserviceError
├── InvalidRequest           what was asked for cannot be: problems
│   └── UnhealthyEndpoint    the registry does not answer, or does not let us in
├── NotFound                 what, key
├── NameTaken                what, name
├── AlreadyLabelled          the artifact has the label: artifact, label
├── ScheduleExists           what runs by itself already: noun
├── SameRules                two rules of a policy say the same: first, second
├── Changed                  somebody else changed it meanwhile: what, key
├── PreconditionFailed       right request, wrong moment
│   ├── EndpointInUse
│   ├── PolicyDisabled
│   ├── PolicyRunning
│   ├── CannotRetry
│   ├── NothingToAnswer
│   ├── ReadOnly
│   └── StillUnderWay
├── LeaseLost                a worker's task is somebody else's by now: task_id
├── NotLeading               another worker process leads by now
├── PlaceGone                what a retention run is about is not there any more: what, name
├── EndpointChanged          an execution's registry is not what it was: name, url
├── ExecutionStopped         a plan's execution was asked to stop: execution_id
├── QueueUnavailable         Redis does not answer; what waits for it is safe in Postgres
├── CannotListen             the address to serve at is not to be had
├── NotEmpty                 a restore would take away what is there
├── StillRunning             a restore takes the database away from whoever is connected
└── CertificateUnusable      the API cannot serve with the TLS certificate it was given
"""

from __future__ import annotations

from collections.abc import Sequence


class JobserviceError(Exception):
    """The root."""


class InvalidRequest(JobserviceError):
    """What was asked for cannot be; every problem is named at once."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class NotEmpty(JobserviceError):
    """There is an installation where a backup is to be restored."""


class StillRunning(JobserviceError):
    """It has to be stopped first."""


class UnhealthyEndpoint(InvalidRequest):
    """The registry was asked and does not answer, or does not let us in."""

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__([f"the registry {url} is unhealthy: {reason}"])
        self.url = url
        self.reason = reason


class NotFound(JobserviceError):
    """There is no such thing."""

    def __init__(self, what: str, key: int | str) -> None:
        super().__init__(f"{what} {key} not found")
        self.what = what
        self.key = key


class NameTaken(JobserviceError):
    """The name belongs to another one."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"the {what} {name!r} exists already")
        self.what = what
        self.name = name


class AlreadyLabelled(JobserviceError):
    """The artifact has the label already."""

    def __init__(self, artifact: str, label: str) -> None:
        super().__init__(f"{artifact} has the label {label!r} already")
        self.artifact = artifact
        self.label = label


class ScheduleExists(JobserviceError):
    """What is to run by itself does already; whoever wants it otherwise changes that."""

    def __init__(self, noun: str) -> None:
        super().__init__(f"{noun} has a schedule already; change it by PUT")
        self.noun = noun


class SameRules(JobserviceError):
    """Two rules of a policy say the same."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"rules {first} and {second} say the same; leave one of them out")
        self.first = first
        self.second = second


class Changed(JobserviceError):
    """Somebody else changed it between our reading and our writing."""

    def __init__(self, what: str, key: int | str) -> None:
        super().__init__(f"{what} {key} was changed by somebody else meanwhile; read it again")
        self.what = what
        self.key = key


class PreconditionFailed(JobserviceError):
    """The request is right and the moment is not."""


class EndpointInUse(PreconditionFailed):
    """Something still refers to the endpoint."""


class PolicyDisabled(PreconditionFailed):
    """A disabled policy starts nothing."""


class PolicyRunning(PreconditionFailed):
    """The policy has executions that are not finished."""


class StillUnderWay(PreconditionFailed):
    """It has not ended, so it cannot be done again."""


class NothingToAnswer(PreconditionFailed):
    """Nobody waits for an approval."""


class ReadOnly(PreconditionFailed):
    """This registry takes no changes at the moment."""

    def __init__(self, consequence: str) -> None:
        super().__init__(
            f"this registry is read-only, so {consequence}; "
            "`transship admin read-only off` allows changes again"
        )


class CannotRetry(PreconditionFailed):
    """The execution may not run again at the moment."""


class LeaseLost(JobserviceError):
    """The task this worker ran was given to another one; nothing may be written for it."""

    def __init__(self, task_id: int) -> None:
        super().__init__(f"task {task_id} belongs to another worker by now")
        self.task_id = task_id


class NotLeading(JobserviceError):
    """Another worker process leads; what only the leader does is left to it."""


class ExecutionStopped(JobserviceError):
    """The execution takes no further tasks, because somebody asked it to stop."""

    def __init__(self, execution_id: int) -> None:
        super().__init__(f"execution {execution_id} was asked to stop")
        self.execution_id = execution_id


class PlaceGone(JobserviceError):
    """The project, or the registry, that a run is about was removed."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"the {what} {name} was removed since the run began; nothing is deleted")
        self.what = what
        self.name = name


class EndpointChanged(JobserviceError):
    """The registry of an execution was changed or removed since the execution began."""

    def __init__(self, name: str, url: str) -> None:
        super().__init__(
            f"the registry endpoint {name!r} ({url}) was changed or removed since the execution "
            "began; start the policy again"
        )
        self.name = name
        self.url = url


class QueueUnavailable(JobserviceError):
    """Redis does not answer; what was to go there stays in Postgres and goes later."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Redis is not available: {reason}; check TRANSSHIP_REDIS_DSN")


class CannotListen(JobserviceError):
    """The address to serve at is taken, or not ours."""

    def __init__(self, host: str, port: int, *, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port}: {reason}; choose another address with --listen"
        )


class CertificateUnusable(JobserviceError):
    """The certificate or its key cannot be read, do not match, or are out of date."""

    def __init__(self, certificate_file: str, key_file: str, *, reason: str) -> None:
        super().__init__(
            f"cannot serve TLS with {certificate_file} and {key_file}: {reason} (docs/tls.md)"
        )
