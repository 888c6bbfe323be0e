from protocol.credential import Credential


def test_a_credential_never_shows_its_secrets() -> None:
    shown = repr(Credential(username="ann", password="secret-1", identity_token="secret-2"))
    assert "ann" in shown
    assert "secret" not in shown
