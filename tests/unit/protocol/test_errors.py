import pytest

from protocol import errors


def test_an_exchange_error_says_operation_message_and_place() -> None:
    error = errors.NotFound(
        "manifest unknown",
        operation="read manifest",
        url="http://registry.test/v2/app/manifests/1",
        status=404,
        faults=(errors.RegistryFault(code="MANIFEST_UNKNOWN", message="manifest unknown"),),
    )
    assert str(error) == (
        "read manifest: manifest unknown (http://registry.test/v2/app/manifests/1)"
    )
    assert (error.status, error.operation, error.message) == (
        404,
        "read manifest",
        "manifest unknown",
    )
    assert error.faults[0].code == "MANIFEST_UNKNOWN"


def test_content_errors_say_both_values() -> None:
    size = errors.SizeMismatch(expected_bytes=10, actual_bytes=9)
    assert str(size) == "content has 9 bytes, not 10"
    digest = errors.DigestMismatch(expected="sha256:a", actual="sha256:b")
    assert str(digest) == "content hashes to sha256:b, not to sha256:a"
    large = errors.ManifestTooLarge(limit_bytes=5)
    assert (str(large), large.limit_bytes) == ("manifest is larger than 5 bytes", 5)


@pytest.mark.parametrize(
    ("error", "caught_as"),
    [
        (errors.InvalidPattern, ValueError),
        (errors.InvalidReference, errors.InvalidInput),
        (errors.DigestMismatch, errors.ContentError),
        (errors.UntrustedCertificate, errors.Unreachable),
        (errors.RateLimited, errors.RegistryError),
        (errors.Refused, errors.ExchangeError),
        (errors.HashStateUnavailable, errors.ProtocolError),
    ],
)
def test_errors_are_caught_where_the_tree_says(
    error: type[Exception], caught_as: type[Exception]
) -> None:
    assert issubclass(error, caught_as)
