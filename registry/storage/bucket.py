"""One S3 bucket, one call at a time; errors name the operation and the key.

botocore tries again by itself what failed with 5xx, "slow down" or a lost connection.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from registry.errors import ObjectMissing, PartialLost, StorageFull, StorageUnavailable
from registry.storage.address import Address

CONNECTIONS: Final = 64
_STATUS_NO_ROOM: Final = 507
_NO_ROOM: Final = frozenset(
    {
        "InsufficientStorage",
        "QuotaExceeded",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    }
)
_UNKNOWN_STATUSES: Final = frozenset({405, 501})
_UNKNOWN: Final = frozenset(
    {"NotImplemented", "MethodNotAllowed", "MalformedXML", "MissingContentMD5"}
)
_MISSING: Final = frozenset({"404", "NoSuchKey", "NotFound"})


class CallUnknown(Exception):
    """The store does not know a call, or not as we make it."""


class Bucket:
    """A bucket, as one client sees it."""

    def __init__(self, client: Any, address: Address) -> None:
        self._client = client
        self._name = address.bucket

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    async def call(self, operation: str, key: str = "", **parameters: object) -> Mapping[str, Any]:
        """Call S3 and return its answer.

        Raise ObjectMissing, PartialLost, StorageFull or StorageUnavailable.
        """
        if key:
            parameters["Key"] = key
        with self._told(operation, key or str(parameters.get("Prefix", ""))):
            answer: Mapping[str, Any] = await getattr(self._client, operation)(
                Bucket=self._name, **parameters
            )
            return answer

    async def delete(self, keys: Sequence[str]) -> Mapping[str, str]:
        """Delete up to a thousand objects; return why some were not, by key.

        Raise CallUnknown, or StorageUnavailable for all of them.
        """
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        where = f"delete_objects of {len(keys)} in bucket {self._name}"
        try:
            answer = await self._client.delete_objects(Bucket=self._name, Delete=wanted)
        except ClientError as error:
            if _is_unknown(error):
                raise CallUnknown(str(error)) from error
            raise _refused(where, error) from error
        except BotoCoreError as error:
            raise StorageUnavailable(f"{where}: {error}") from error
        return {
            entry["Key"]: f"{entry.get('Code', '')}: {entry.get('Message', '')}"
            for entry in answer.get("Errors", ())
            if entry.get("Code") not in _MISSING
        }

    async def abort(self, key: str, multipart: str) -> None:
        """End a multipart upload; nothing happens if it is gone."""
        with contextlib.suppress(PartialLost):
            await self.call("abort_multipart_upload", key, UploadId=multipart)

    async def multiparts(self, prefix: str) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Yield the multipart uploads under way, page by page."""
        marker: dict[str, str] = {}
        while True:
            answer = await self.call("list_multipart_uploads", Prefix=prefix, **marker)
            yield answer.get("Uploads", ())
            if not answer.get("IsTruncated"):
                return
            marker = {
                "KeyMarker": answer["NextKeyMarker"],
                "UploadIdMarker": answer["NextUploadIdMarker"],
            }

    async def listed(self, prefix: str) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Yield what is under a prefix, by name, page by page."""
        start: dict[str, str] = {}
        while True:
            answer = await self.call("list_objects_v2", Prefix=prefix, **start)
            yield (page := answer.get("Contents", ()))
            if not answer.get("IsTruncated"):
                return
            start = {"StartAfter": page[-1]["Key"]}

    async def address_of(self, key: str, *, seconds: int) -> str:
        """Return a URL that gives the object to anybody for a while."""
        with self._told("presign", key):
            url: str = await self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self._name, "Key": key}, ExpiresIn=seconds
            )
            return url

    @contextlib.contextmanager
    def _told(self, operation: str, key: str) -> Iterator[None]:
        where = f"{operation} of {key or 'the whole'} in bucket {self._name}"
        try:
            yield
        except ClientError as error:
            raise _refused(where, error) from error
        except BotoCoreError as error:
            raise StorageUnavailable(f"{where}: {error}") from error


def _is_unknown(error: ClientError) -> bool:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return code in _UNKNOWN or status in _UNKNOWN_STATUSES


def _refused(where: str, error: ClientError) -> Exception:
    facts = error.response.get("Error", {})
    code = str(facts.get("Code", ""))
    text = f"{where}: {code}: {facts.get('Message', '')}"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in _NO_ROOM or status == _STATUS_NO_ROOM:
        return StorageFull(f"storage full: {text}")
    if code == "NoSuchUpload":
        return PartialLost(f"the upload's bytes are lost; begin a new upload ({text})")
    return ObjectMissing(text) if code in _MISSING else StorageUnavailable(text)


@contextlib.asynccontextmanager
async def opened(address: Address) -> AsyncIterator[Bucket]:
    """Make a client for a bucket."""
    config = AioConfig(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": address.tries},
        s3={
            "addressing_style": "path" if address.path_style else "auto",
            "payload_signing_enabled": False,  # Content-MD5 guards what is sent
        },
        # Newer checksums are not understood by every store.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        proxies={"http": address.proxy, "https": address.proxy} if address.proxy else {},
    )
    async with get_session().create_client(
        "s3",
        endpoint_url=address.endpoint or None,
        region_name=address.region or None,
        aws_access_key_id=address.access_key or None,
        aws_secret_access_key=address.secret_key or None,
        verify=address.ca_file,
        config=config,
    ) as client:
        yield Bucket(client, address)
