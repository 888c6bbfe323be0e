from __future__ import annotations

from registry.retention.texts import Texts


def test_texts_come_back_as_they_were_and_the_last_may_grow() -> None:
    texts = Texts()
    for text in ("one", "", "drei"):
        texts.append(text)
    texts.extend(" four")
    assert [texts[place] for place in range(len(texts))] == ["one", "", "drei four"]
