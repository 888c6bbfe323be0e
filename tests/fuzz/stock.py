"""What an operation can be asked about and find: made anew for each, by the API itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from protocol.digest import Digest
from tests.fuzz import conftest
from tests.fuzz.conftest import Served
from tests.integration.jobservice.retention_house import artifact, rule

SECONDS = 30
_NUMBERS = itertools.count(1)
DONE = """
INSERT INTO jobservice.tasks (execution_id, page, ordinal, job_type, queue, parameters, status,
                              result, started_at, ended_at)
VALUES ({execution}, 1, 1, 'RETENTION', 'plan', '{{"repository": "app"}}', 'succeeded',
        '{{"total": 1, "retained": 1, "deleted": 0, "untagged": 0, "deleted_bytes": 0,
          "refused": 0, "dry_run": true, "remarks": []}}', now(), now())
"""
COUNTED = """
UPDATE jobservice.executions SET total = 1, succeeded = 1
WHERE id = (SELECT max(id) FROM jobservice.executions)
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A request that finds what it asks for."""

    path: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Stock:
    """A project of its own, with an artifact in it; the rest is made when somebody asks for it."""

    served: Served
    project: str
    project_id: int

    @property
    def repository(self) -> str:
        return f"{self.project}/app"

    def push(self, tag: str) -> Digest:
        """Push an artifact; return its digest."""
        pushed = artifact(f"{self.project} {tag}")
        answer = requests.put(
            f"{self.served.url}/v2/{self.repository}/manifests/{tag}",
            data=pushed.body,
            headers={"Content-Type": pushed.media_type},
            auth=self.served.login,
            timeout=SECONDS,
        )
        assert answer.status_code == 201, answer.text
        return pushed.digest

    def make(self, path: str, body: Mapping[str, Any]) -> int:
        """Make something; return its id."""
        answer = requests.post(
            self.served.api + path, json=body, auth=self.served.login, timeout=SECONDS
        )
        assert answer.status_code == 201, answer.text
        return int(answer.headers["Location"].rpartition("/")[2])

    # Retention

    def policy(self) -> dict[str, Any]:
        return {
            "algorithm": "or",
            "rules": [rule(count=1)],
            "trigger": {"kind": "Schedule", "references": {}, "settings": {"cron": ""}},
            "scope": {"level": "project", "ref": self.project_id},
        }

    def retention(self) -> int:
        return self.make("/retentions", self.policy())

    def retention_run(self) -> dict[str, int]:
        retention = self.retention()
        run = self.make(f"/retentions/{retention}/executions", {"dry_run": True})
        return {"id": retention, "eid": run}

    def retention_task(self) -> dict[str, int]:
        """A run of which one repository is done."""
        run = self.retention_run()
        conftest.execute(self.served.dsn, DONE.format(execution=run["eid"]), COUNTED)
        (task,) = requests.get(
            f"{self.served.api}/retentions/{run['id']}/executions/{run['eid']}/tasks",
            auth=self.served.login,
            timeout=SECONDS,
        ).json()
        return {**run, "tid": task["id"]}

    # Garbage

    def deleted(self) -> Mapping[str, str]:
        """Delete an artifact; return what asks for it back."""
        digest = self.push("gone")
        url = f"{self.served.url}/v2/{self.repository}/manifests/{digest}"
        answer = requests.delete(url, auth=self.served.login, timeout=SECONDS)
        assert answer.status_code == 202, answer.text
        return {"repository": self.repository, "reference": str(digest)}

    def collection(self) -> Mapping[str, int]:
        return {"gc_id": self.make("/system/gc/schedule", BY_HAND)}

    # Immutability and labels

    def immutable(self) -> Mapping[str, Any]:
        path = f"/projects/{self.project}/immutabletagrules"
        made = self.make(path, IMMUTABLE)
        return {"project_name_or_id": self.project, "immutable_rule_id": made}

    def label(self) -> int:
        return self.make("/labels", self.label_wish())

    def label_wish(self) -> dict[str, Any]:
        return {"name": f"of {self.project}", "scope": "p", "project_id": self.project_id}

    def artifact(self) -> Mapping[str, str]:
        self.push("1.0")
        return {"project_name": self.project, "repository_name": "app", "reference": "1.0"}

    def labelled(self) -> Mapping[str, Any]:
        """Give an artifact a label."""
        label, artifact_ = self.label(), self.artifact()
        path = f"/projects/{self.project}/repositories/app/artifacts/1.0/labels"
        answer = requests.post(
            self.served.api + path, json={"id": label}, auth=self.served.login, timeout=SECONDS
        )
        assert answer.status_code == 200, answer.text
        return {**artifact_, "label_id": label}


BY_HAND = {"schedule": {"type": "Manual"}, "parameters": {"dry_run": True}}
NONE = {"schedule": {"type": "None"}, "parameters": {}}
IMMUTABLE = {
    "disabled": False,
    "action": "immutable",
    "template": "immutable_template",
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
    "scope_selectors": {
        "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]
    },
}


def stocked(served: Served) -> Stock:
    """Make a project that nobody else has, whatever chance did to the registry before."""
    answer = requests.put(
        f"{served.api}/configurations",
        json={"read_only": False},
        auth=served.login,
        timeout=SECONDS,
    )
    assert answer.status_code == 200, answer.text
    stock = Stock(served=served, project=f"stock-{next(_NUMBERS)}", project_id=0)
    stock.project_id = stock.make("/projects", {"project_name": stock.project})
    return stock


def _changed(path: Mapping[str, Any]) -> Known:
    return Known(path, {**IMMUTABLE, "id": path["immutable_rule_id"]})


_RETENTION = "/retentions/{id}"
_RUNS = f"{_RETENTION}/executions"
_RULES = "/projects/{project_name_or_id}/immutabletagrules"
_LABELS = "/projects/{project_name}/repositories/{repository_name}/artifacts/{reference}/labels"

# By operation; what is not here is asked by chance alone.
KNOWN: Mapping[tuple[str, str], Callable[[Stock], Known]] = {
    ("POST", "/retentions"): lambda s: Known(body=s.policy()),
    ("GET", "/retentions"): lambda s: Known(query={"q": f"project_id={s.project_id}"}),
    ("POST", "/retentions/preview"): lambda s: Known(body=s.policy()),
    ("GET", _RETENTION): lambda s: Known({"id": s.retention()}),
    ("PUT", _RETENTION): lambda s: Known({"id": s.retention()}, s.policy()),
    ("DELETE", _RETENTION): lambda s: Known({"id": s.retention()}),
    ("GET", f"{_RETENTION}/preview"): lambda s: Known({"id": s.retention()}),
    ("POST", _RUNS): lambda s: Known({"id": s.retention()}, {"dry_run": True}),
    ("GET", _RUNS): lambda s: Known({"id": s.retention_run()["id"]}),
    ("GET", f"{_RUNS}/{{eid}}"): lambda s: Known(s.retention_run()),
    ("PATCH", f"{_RUNS}/{{eid}}"): lambda s: Known(s.retention_run(), {"action": "stop"}),
    ("GET", f"{_RUNS}/{{eid}}/tasks"): lambda s: Known(s.retention_run()),
    ("GET", f"{_RUNS}/{{eid}}/tasks/{{tid}}"): lambda s: Known(s.retention_task()),
    ("GET", "/system/gc/preview"): lambda _: Known(),
    ("GET", "/system/gc/deleted"): lambda s: Known(
        query={"q": f"repository={s.deleted()['repository']}"}
    ),
    ("POST", "/system/gc/undelete"): lambda s: Known(body=s.deleted()),
    ("POST", "/system/gc/schedule"): lambda _: Known(body=BY_HAND),
    ("PUT", "/system/gc/schedule"): lambda _: Known(body=NONE),
    ("GET", "/system/gc/{gc_id}"): lambda s: Known(s.collection()),
    ("PUT", "/system/gc/{gc_id}"): lambda s: Known(s.collection()),
    ("GET", "/system/gc/{gc_id}/log"): lambda s: Known(s.collection()),
    ("GET", _RULES): lambda s: Known({"project_name_or_id": s.immutable()["project_name_or_id"]}),
    ("POST", _RULES): lambda s: Known({"project_name_or_id": s.project}, IMMUTABLE),
    ("PUT", f"{_RULES}/{{immutable_rule_id}}"): lambda s: _changed(s.immutable()),
    ("DELETE", f"{_RULES}/{{immutable_rule_id}}"): lambda s: Known(s.immutable()),
    ("GET", f"{_RULES}/{{immutable_rule_id}}/reach"): lambda s: Known(s.immutable()),
    ("GET", "/labels"): lambda _: Known(query={"scope": "g"}),
    ("POST", "/labels"): lambda s: Known(body=s.label_wish()),
    ("GET", "/labels/{label_id}"): lambda s: Known({"label_id": s.label()}),
    ("PUT", "/labels/{label_id}"): lambda s: Known({"label_id": s.label()}, s.label_wish()),
    ("DELETE", "/labels/{label_id}"): lambda s: Known({"label_id": s.label()}),
    ("GET", _LABELS): lambda s: Known(s.artifact()),
    ("POST", _LABELS): lambda s: Known(s.artifact(), {"id": s.label()}),
    ("DELETE", f"{_LABELS}/{{label_id}}"): lambda s: Known(s.labelled()),
}
