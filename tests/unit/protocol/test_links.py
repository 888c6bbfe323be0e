import pytest

from protocol import links


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ('</v2/a/tags/list?last=b&n=2>; rel="next"', "/v2/a/tags/list?last=b&n=2"),
        ("</x>; rel=next", "/x"),
        ('<https://r.test/x?a,b>; title="t"; rel="next"', "https://r.test/x?a,b"),
        ('</p>; rel="prev", </n>; rel="next"', "/n"),
        ("</only>", "/only"),
        ('</x>; rel="last next"', "/x"),
        ('</p>; rel="prev"', None),
        ("nonsense", None),
    ],
)
def test_the_next_link_is_found(value: str, target: str | None) -> None:
    assert links.following([value]) == target


def test_no_header_means_no_next_page() -> None:
    assert links.following([]) is None
