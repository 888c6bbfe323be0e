"""Where a hook may lead: what is asked for becomes targets, or sentences that refuse it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from yarl import URL

from jobservice.domain.hook import FORMATS, PayloadFormat, Target, TargetKind
from jobservice.errors import InvalidRequest
from jobservice.hook_secrets import HookSecrets
from jobservice.jobs.hook_delivery import REACH
from protocol.transport import Transport

TARGETS_LIMIT: Final = 10
ADDRESS_LIMIT: Final = 2048
SECRET_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedTarget:
    """A target as a user says it. Of the secrets None leaves what is stored, empty removes it."""

    kind: str
    address: str = field(repr=False)
    format: str = ""
    skip_cert_verify: bool = False
    auth_header: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same target as one that is stored."""
        return self.kind, self.address


async def refuse(wanted: Sequence[WantedTarget], transport: Transport) -> list[str]:
    """Return what is wrong with targets, where they lead included."""
    found = list(_problems(wanted))
    for index, target in enumerate(wanted):
        if not found:
            reason = await transport.refusal(URL(target.address), REACH)
            if reason is not None:
                found.append(f"targets[{index}].address: hooks may not go there: {reason}")
    return found


def _problems(wanted: Sequence[WantedTarget]) -> Iterator[str]:
    if not 1 <= len(wanted) <= TARGETS_LIMIT:
        yield f"targets: there are {len(wanted)}, one to {TARGETS_LIMIT} are needed"
    keys = [target.key for target in wanted]
    for index, target in enumerate(wanted):
        place = f"targets[{index}]"
        yield from _kind_problems(place, target)
        yield from _address_problems(f"{place}.address", target.address)
        if target.key in keys[:index]:
            yield f"{place}.address: is there twice"
        for name, secret in (("auth_header", target.auth_header), ("secret", target.secret)):
            if secret and (not secret.isprintable() or len(secret) > SECRET_LIMIT):
                yield f"{place}.{name}: holds control characters, or more than {SECRET_LIMIT}"
        if target.auth_header and not target.auth_header.isascii():
            yield f"{place}.auth_header: a header holds ASCII only"


def _kind_problems(place: str, target: WantedTarget) -> Iterator[str]:
    known = [kind.value for kind in TargetKind]
    if target.kind not in known:
        yield f"{place}.type: {target.kind!r} is not known; known are {', '.join(known)}"
        return
    formats = [one.value for one in FORMATS[TargetKind(target.kind)]]
    if target.format and target.format not in formats:
        yield f"{place}.payload_format: {target.kind} knows {', '.join(formats)}"


def _address_problems(place: str, address: str) -> Iterator[str]:
    try:
        parts = urlsplit(address)
        host, _ = URL(address).host, parts.port
    except ValueError as error:
        yield f"{place}: does not parse: {error}"
        return
    if parts.scheme not in {"http", "https"} or not host:
        yield f"{place}: write it as https://host[:port]/path"
    elif parts.username is not None or parts.password is not None:
        yield f"{place}: holds a user name or password; give them as auth_header"
    if len(address) > ADDRESS_LIMIT or not address.isprintable() or " " in address:
        yield f"{place}: holds spaces, control characters, or more than {ADDRESS_LIMIT} characters"


def targets(
    wanted: Sequence[WantedTarget],
    stored: Sequence[Target],
    new_ids: Sequence[int],
    secrets: HookSecrets,
) -> list[Target]:
    """Return the targets as they are to be; those that are stored keep id and unnamed secrets.

    Raise InvalidRequest where a masked secret has nothing behind it: it belongs to its address.
    """
    known = {(target.kind.value, target.address): target for target in stored}
    fresh = iter(new_ids)
    found = []
    for index, one in enumerate(wanted):
        before = known.get(one.key)
        target_id = before.id if before is not None else next(fresh)
        auth_header = before.auth_header_sealed if before is not None else None
        secret = before.secret_sealed if before is not None else None
        for name, value, sealed in (
            ("auth_header", one.auth_header, auth_header),
            ("transship.secret", one.secret, secret),
        ):
            if value is not None and is_masked(value) and sealed is None:
                raise InvalidRequest(
                    [f"targets[{index}].{name}: nothing is stored for this address; write it out"]
                )
        if one.auth_header is not None and not is_masked(one.auth_header):
            auth_header = secrets.seal_auth_header(target_id, one.auth_header)
        if one.secret is not None and not is_masked(one.secret):
            secret = secrets.seal_signing(target_id, one.secret)
        found.append(
            Target(
                id=target_id,
                kind=TargetKind(one.kind),
                format=PayloadFormat(one.format or PayloadFormat.DEFAULT),
                address=one.address,
                skip_cert_verify=one.skip_cert_verify,
                auth_header_sealed=auth_header,
                secret_sealed=secret,
            )
        )
    return found


def is_masked(value: str) -> bool:
    """Say whether a secret came back as it was shown."""
    return bool(value) and not value.strip("*")
