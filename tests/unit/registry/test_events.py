from __future__ import annotations

from registry.events import Action, Event

FACTS = {
    "action": "push",
    "project_id": 1,
    "repository": "library/alpine",
    "digest": "sha256:ab",
    "tags": ["3.20", "latest"],
    "media_type": "application/vnd.oci.image.manifest.v1+json",
    "artifact_type": None,
    "size_bytes": 7,
    "subject": None,
    "by": "admin",
    "is_new": True,
}


def test_an_event_is_read_from_the_outbox_as_it_was_written() -> None:
    event = Event.from_json(FACTS)
    assert event.action is Action.PUSH
    assert event.tags == ("3.20", "latest")
    assert {name: getattr(event, name) for name in FACTS if name != "tags"} == {
        name: value for name, value in FACTS.items() if name != "tags"
    }


def test_what_a_later_release_adds_to_an_event_is_left_out() -> None:
    assert Event.from_json({**FACTS, "of_a_later_release": 1}) == Event.from_json(FACTS)
