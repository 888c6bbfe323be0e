"""Runs of retention policies over a real Postgres and Valkey, with this registry's own content."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from database.pool import Database
from jobservice import retention_runs, retentions
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.listing import Listing
from jobservice.errors import (
    NothingToAnswer,
    StillUnderWay,
)
from registry.collection import undeleting
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.jobservice.conftest import Jobs
from tests.integration.jobservice.retention_house import (
    NIGHTLY,
    REPOSITORY,
    House,
    artifact,
    rule,
)


@pytest.fixture
def house(dsn: str, valkey_url: str, database: Database, jobs_at: Jobs, tmp_path: Path) -> House:
    return House(
        dsn=dsn,
        redis_dsn=valkey_url,
        database=database,
        registry=Registry(database, FilesystemStorage(tmp_path)),
        jobs=jobs_at,
    )


@pytest.fixture
async def working(house: House) -> AsyncIterator[None]:
    async with house.working():
        yield


@pytest.mark.usefixtures("working")
async def test_a_run_deletes_what_no_rule_keeps_and_says_why(house: House) -> None:
    for tag in ("1.0", "1.1", "1.2"):
        await house.push(tag)
    policy = await house.policy(rule(count=2))
    execution = await house.run(policy)
    view = await house.ended(policy, execution)
    assert view.execution.status is ExecutionStatus.SUCCEEDED
    assert await house.tags() == ["1.1", "1.2"]
    assert view.sum is not None
    assert (view.sum.total, view.sum.retained, view.sum.deleted) == (3, 2, 1)
    log = await house.log(policy, execution)
    (gone,) = [line for line in log.splitlines() if line.startswith("DELETED")]
    assert " 1.0 " in gone
    assert gone.endswith("goes: no rule keeps it")
    assert "kept by rule 1: 1st newest of 3" in log
    assert view.remarks == ()


async def test_of_three_runs_at_once_each_deletion_is_counted_by_one(house: House) -> None:
    for number in range(60):
        await house.push(f"1.{number}")
    policy = await house.policy(rule(count=1))
    runs = [await house.run(policy) for _ in range(3)]
    async with house.working():
        views = [await house.ended(policy, execution) for execution in runs]
    assert {view.execution.status for view in views} == {ExecutionStatus.SUCCEEDED}
    assert await house.tags() == ["1.59"]
    assert sum(view.sum.deleted for view in views if view.sum) == 59


@pytest.mark.usefixtures("working")
async def test_a_dry_run_decides_the_same_and_deletes_nothing(house: House) -> None:
    for tag in ("1.0", "1.1", "1.2"):
        await house.push(tag)
    policy = await house.policy(rule(count=1))
    view = await house.ended(policy, await house.run(policy, dry_run=True))
    assert await house.tags() == ["1.0", "1.1", "1.2"]
    assert view.sum is not None
    assert (view.snapshot.dry_run, view.sum.deleted, view.sum.retained) == (True, 2, 1)
    assert (await house.ended(policy, await house.run(policy))).sum == view.sum
    assert await house.tags() == ["1.2"]


@pytest.mark.usefixtures("working")
async def test_repositories_that_no_rule_is_about_are_left_alone_and_counted(house: House) -> None:
    await house.push("1", repository="team/app")
    await house.push("1", repository="team/other")
    policy = await house.policy(rule(repositories="nothing*"))
    view = await house.ended(policy, await house.run(policy))
    assert view.execution.status_text == "0 of 2 repositories are covered by a rule"
    assert view.remarks == (view.execution.status_text,)
    assert view.execution.total == 0
    assert await house.tags("team/app") == await house.tags("team/other") == ["1"]


@pytest.mark.usefixtures("working")
async def test_a_selector_that_matches_nothing_is_told(house: House) -> None:
    await house.push("1.0")
    await house.push("1.1")
    policy = await house.policy(rule(tags="1.1"), rule(tags="relaese-*"), rule(repositories="ap"))
    execution = await house.run(policy, dry_run=True)
    view = await house.ended(policy, execution)
    assert "NOTE: rule 2 selects nothing here" in await house.log(policy, execution)
    assert view.remarks == (
        "rule 2 selects nothing in 1 repository",
        "rule 3 is about 0 of 1 repositories",
    )
    (listed,) = (await retention_runs.page(house.database, policy, Listing())).items
    assert listed.remarks == ()


@pytest.mark.usefixtures("working")
async def test_a_digest_with_ten_thousand_tags_goes_in_one_piece(house: House) -> None:
    await house.push(*(f"t{number}" for number in range(10_000)), content="many")
    await house.push("kept")
    policy = await house.policy(rule(count=1))
    view = await house.ended(policy, await house.run(policy))
    assert await house.tags() == ["kept"]
    assert view.sum is not None
    assert view.sum.deleted == 1


@pytest.mark.usefixtures("working")
async def test_tags_go_one_by_one_where_the_policy_says_so(house: House) -> None:
    await house.push("build-1", "build-2", "1.0", content="a")
    own = {
        "action": "delete",
        "tags": [{"kind": "doublestar", "decoration": "matches", "pattern": "build-*"}],
    }
    policy = await house.policy(own=[own], scope="tag")
    view = await house.ended(policy, await house.run(policy))
    assert await house.tags() == ["1.0"]
    assert view.sum is not None
    assert (view.sum.deleted, view.sum.untagged, view.sum.retained) == (0, 2, 1)


@pytest.mark.usefixtures("working")
async def test_a_scheduled_run_that_takes_little_asks_nobody(house: House) -> None:
    for number in range(4):
        await house.push(f"1.{number}")
    policy = await house.policy(rule(count=3), cron=NIGHTLY)
    view = await house.ended(policy, await house.fire(policy))
    assert view.execution.status is ExecutionStatus.SUCCEEDED
    assert await house.tags() == ["1.1", "1.2", "1.3"]
    assert view.decided is not None
    assert (view.decided.candidates, view.decided.doomed, view.decided.approval) == (4, 1, None)


@pytest.mark.usefixtures("working")
async def test_a_scheduled_run_that_takes_much_waits_until_somebody_approves(house: House) -> None:
    for number in range(4):
        await house.push(f"1.{number}")
    policy = await house.policy(rule(count=1), cron=NIGHTLY)
    execution = await house.fire(policy)
    view = await house.asks(policy, execution)
    assert view.decided is not None
    assert view.decided.reasons == ("deletes 3 of 4 artifacts, more than 50 %",)
    assert len(await house.tags()) == 4
    with pytest.raises(StillUnderWay, match="has not ended"):
        await house.fire(policy)
    await retention_runs.approve(house.database, policy, execution, by="eve")
    ended = await house.ended(policy, execution)
    assert ended.execution.status is ExecutionStatus.SUCCEEDED
    assert ended.decided is not None
    assert (ended.decided.approval, ended.decided.answered_by) == ("approved", "eve")
    assert await house.tags() == ["1.3"]
    with pytest.raises(NothingToAnswer, match="waits for nobody's approval: it is approved"):
        await retention_runs.approve(house.database, policy, execution, by="eve")


@pytest.mark.usefixtures("working")
async def test_who_would_delete_more_than_was_approved_asks_again(house: House) -> None:
    for number in range(4):
        await house.push(f"1.{number}")
    policy = await house.policy(rule(count=1), cron=NIGHTLY)
    execution = await house.fire(policy)
    await house.asks(policy, execution)
    await house.push("1.4")
    await retention_runs.approve(house.database, policy, execution, by="eve")
    view = await house.asks(policy, execution)
    assert view.decided is not None
    assert view.decided.reasons[0] == "1 more would go than were approved"
    assert len(await house.tags()) == 5
    await retention_runs.approve(house.database, policy, execution, by="eve")
    await house.ended(policy, execution)
    assert await house.tags() == ["1.4"]


@pytest.mark.usefixtures("working")
async def test_a_tag_that_came_after_it_was_approved_asks_again(house: House) -> None:
    old = artifact("old")
    await house.put(old, "1.0")
    await house.push("v1")
    await house.push("v2")
    policy = await house.policy(rule(count=2, tags="v*"), cron=NIGHTLY, guard_percent=10)
    execution = await house.fire(policy)
    await house.asks(policy, execution)
    await house.put(old, "release")
    await retention_runs.approve(house.database, policy, execution, by="eve")
    view = await house.asks(policy, execution)
    assert view.decided is not None
    assert view.decided.reasons[0] == "1 more would go than were approved"
    assert await house.tags() == ["1.0", "release", "v1", "v2"]


@pytest.mark.usefixtures("working")
async def test_a_run_that_was_stopped_while_it_waited_is_no_longer_approved(house: House) -> None:
    await house.push("1.0")
    policy = await house.policy(rule(tags="nothing"), cron=NIGHTLY)
    execution = await house.fire(policy)
    await house.asks(policy, execution)
    await retention_runs.stop(house.database, policy, execution, by="eve")
    await house.ended(policy, execution)
    for answer in (retention_runs.approve, retention_runs.reject):
        with pytest.raises(NothingToAnswer, match="waits for nobody's approval: it is stopped"):
            await answer(house.database, policy, execution, by="eve")
    view = await house.view(policy, execution)
    assert view.decided is not None
    assert view.decided.answered_by == ""


@pytest.mark.usefixtures("working")
async def test_a_run_that_is_rejected_deletes_nothing(house: House) -> None:
    for number in range(4):
        await house.push(f"1.{number}")
    policy = await house.policy(rule(count=1), cron=NIGHTLY)
    execution = await house.fire(policy)
    await house.asks(policy, execution)
    await retention_runs.reject(house.database, policy, execution, by="eve")
    ended = await house.ended(policy, execution)
    assert ended.execution.status is ExecutionStatus.STOPPED
    assert len(await house.tags()) == 4
    assert await house.fire(policy) > execution


async def test_what_nobody_approves_ends_without_deleting(house: House) -> None:
    for number in range(4):
        await house.push(f"1.{number}")
    policy = await house.policy(rule(count=1), cron=NIGHTLY)
    async with house.working():
        execution = await house.fire(policy)
        await house.asks(policy, execution)
        await house.jobs.one(
            """WITH past AS (UPDATE jobservice.retention_runs SET expires_at = now())
               UPDATE jobservice.tasks SET not_before = now() WHERE execution_id = $1""",
            execution,
        )
        ended = await house.ended(policy, execution)
    assert ended.execution.status is ExecutionStatus.FAILED
    assert ended.execution.status_text == "nobody approved within 7 days; nothing was deleted"
    assert ended.decided is not None
    assert ended.decided.approval == "expired"
    assert len(await house.tags()) == 4


@pytest.mark.usefixtures("working")
async def test_a_repository_never_loses_its_last_tag_unasked(house: House) -> None:
    await house.push("1.0")
    policy = await house.policy(rule(tags="nothing"), cron=NIGHTLY)
    execution = await house.fire(policy)
    view = await house.asks(policy, execution)
    assert view.decided is not None
    assert "takes the last tag of team/app" in view.decided.reasons
    await retention_runs.stop(house.database, policy, execution, by="eve")
    await house.ended(policy, execution)
    assert await house.tags() == ["1.0"]


@pytest.mark.usefixtures("working")
async def test_what_retention_deleted_can_be_put_back_with_its_tags(house: House) -> None:
    digest = await house.push("1.0", "old")
    await house.push("1.1")
    policy = await house.policy(rule(count=1))
    await house.ended(policy, await house.run(policy))
    assert await house.tags() == ["1.1"]
    await undeleting.undelete(house.database, REPOSITORY, str(digest), by="eve")
    assert await house.tags() == ["1.0", "1.1", "old"]


@pytest.mark.usefixtures("working")
async def test_an_immutable_tag_stays_unless_a_rule_overrides_it(house: House) -> None:
    await house.push("v1")
    await house.push("1.0")
    await house.immutable("v*")
    policy = await house.policy(rule(tags="nothing"))
    execution = await house.run(policy)
    await house.ended(policy, execution)
    assert await house.tags() == ["v1"]
    assert "kept: immutable tag v1" in await house.log(policy, execution)
    await retentions.delete(house.database, policy)
    overriding = await house.policy(own=[{"action": "delete", "override_immutable": True}])
    await house.ended(overriding, await house.run(overriding))
    assert await house.tags() == []


@pytest.mark.usefixtures("working")
async def test_children_stay_with_the_index_that_names_them(house: House) -> None:
    child = artifact("child")
    await house.put(child)
    descriptor = {
        "mediaType": child.media_type,
        "digest": str(child.digest),
        "size": len(child.body),
    }
    await house.put(artifact("index", manifests=[descriptor]), "multi")
    await house.push("1.0")
    policy = await house.policy(rule("always", tags="multi"))
    await house.ended(policy, await house.run(policy))
    assert await house.tags() == ["multi"]
    assert await house.jobs.one("SELECT count(*) FROM registry.manifests") == 2


@pytest.mark.usefixtures("working")
async def test_hooks_hear_what_was_deleted_and_what_has_to_be_approved(
    house: House, database: Database
) -> None:
    for number in range(4):
        await house.push(f"1.{number}")
    policy = await house.policy(rule(count=1), cron=NIGHTLY)
    execution = await house.fire(policy)
    await house.asks(policy, execution)
    await retention_runs.approve(house.database, policy, execution, by="eve")
    await house.ended(policy, execution)
    async with database.connection() as connection:
        rows = await connection.fetch(
            """SELECT kind, project_id, facts FROM jobservice.outbox
               WHERE facts ? 'place' ORDER BY id"""
        )
        asked, done = rows
    project = await house.project()
    assert (asked["kind"], asked["project_id"]) == ("retention_approval", project.id)
    assert asked["facts"]["doomed"] == 3
    assert (done["kind"], done["project_id"]) == ("tag_retention", project.id)
    assert (done["facts"]["total"], done["facts"]["retained"]) == (4, 1)
    assert await house.told() == ["RETENTION_APPROVAL", "TAG_RETENTION"]


@pytest.mark.usefixtures("working")
async def test_a_dry_run_tells_no_hook(house: House) -> None:
    await house.push("1.0")
    await house.push("1.1")
    policy = await house.policy(rule(count=1))
    await house.ended(policy, await house.run(policy, dry_run=True))
    kinds = "SELECT count(*) FROM jobservice.outbox WHERE kind = 'tag_retention'"
    assert await house.jobs.one(kinds) == 0
