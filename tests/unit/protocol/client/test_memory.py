from protocol.client.memory import LIFE_SECONDS, Ability, Memory


def test_an_answer_is_kept_for_its_repository_and_a_while() -> None:
    now = [0.0]
    memory = Memory(clock=lambda: now[0])
    assert memory.recall(Ability.REFERRERS, "a/b") is None
    memory.note(Ability.REFERRERS, "a/b", answer=False)
    assert memory.recall(Ability.REFERRERS, "a/b") is False
    assert memory.recall(Ability.REFERRERS, "c/d") is None
    assert memory.recall(Ability.MOUNT, "a/b") is None
    now[0] = LIFE_SECONDS + 1
    assert memory.recall(Ability.REFERRERS, "a/b") is None
