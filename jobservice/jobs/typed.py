"""Job types whose parameters have a type: read where a task starts, written where one is planned.

A new job type is one file with such a class, and one line in catalogue.py.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import override

from jobservice.domain.task import NewTask, TaskError
from jobservice.jobs.base import Answer, Failed, JobType, Run

Parameters = TypeVar("Parameters")

# Building one takes a millisecond, using it microseconds.
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


class TypedJobType(JobType, Generic[Parameters]):
    """Declares `parameters`: a frozen dataclass, or whatever else pydantic reads."""

    parameters: ClassVar[type[Any]]

    @override
    async def run(self, run: Run) -> Answer:
        """Perform; parameters that cannot be read fail the task for good, with every reason."""
        try:
            parameters = self.read(run.task.parameters)
        except ValidationError as error:
            return Failed(error=_unreadable(error))
        return await self.perform(run, parameters)

    @abstractmethod
    async def perform(self, run: Run, parameters: Parameters) -> Answer:
        """Do the work. What it raises is handed to `explain`."""

    @classmethod
    def unique_key(cls, parameters: Parameters) -> str | None:
        """Return what only one unfinished task of the type may have; None: any number of tasks."""
        del parameters
        return None

    @classmethod
    def task(
        cls, parameters: Parameters, *, zone: str | None = None, priority: int | None = None
    ) -> NewTask:
        """Return a task to be planned; zone and priority are the execution's if None."""
        return NewTask(
            job_type=cls.name,
            queue=cls.queue,
            parameters=cls.write(parameters),
            zone=zone,
            priority=priority,
            unique_key=cls.unique_key(parameters),
        )

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Parameters:
        """Return the parameters that a task's row holds; raise ValidationError."""
        return cast("Parameters", _adapter(cls.parameters).validate_python(dict(document)))

    @classmethod
    def write(cls, parameters: Parameters) -> Mapping[str, Any]:
        """Return parameters as a task's row holds them."""
        document: Mapping[str, Any] = _adapter(cls.parameters).dump_python(parameters, mode="json")
        return document


def _adapter(parameters: type[Any]) -> TypeAdapter[Any]:
    if parameters not in _ADAPTERS:
        _ADAPTERS[parameters] = TypeAdapter(parameters)
    return _ADAPTERS[parameters]


def _unreadable(error: ValidationError) -> TaskError:
    problems = (
        f"{'.'.join(map(str, one['loc'])) or 'parameters'}: {one['msg']}"
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    )
    return TaskError(
        message=f"its parameters cannot be read: {'; '.join(problems)}", kind="InvalidParameters"
    )
