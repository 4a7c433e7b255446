# SPDX-License-Identifier: Apache-2.0
"""Fetches from S3: moto's server and a scripted server under AWS's host names, over TLS."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from ignition.errors import FetchError, NotFound, TimedOut, VerificationFailed
from ignition.host.source import Source
from ignition.platform import credentials
from ignition.resource import Credentials, Fetcher, Request, Settings
from ignition.resource.credentials import AwsKeys
from ignition.resource.objectstore import aws
from ignition.resource.objectstore.s3 import S3Object
from tests.lab.internet import Internet
from tests.lab.logged import Log
from tests.lab.server import Answer, HttpServer
from tests.resource.conftest import Authority, FakeClock

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

pytestmark = pytest.mark.real_commands("openssl")

NAMES = ",".join(
    f"DNS:{name}.{region}.{tail}"
    for region, tail in [
        ("us-east-1", "amazonaws.com"),
        ("eu-west-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
        ("us-gov-west-1", "amazonaws.com"),
    ]
    for name in ("s3.dualstack", "*.s3.dualstack", "*.s3-accesspoint.dualstack")
)


@pytest.fixture(scope="module")
def moto() -> Iterator[int]:
    """The port of moto's server."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from libraries that moto uses
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        try:
            yield server.get_host_and_port()[1]
        finally:
            server.stop()


@pytest.fixture(scope="module")
def buckets(moto: int) -> S3Client:
    """A client for moto's buckets: `bucket` and `dotted.name` in eu-west-1, `virginia` in us-east-1."""
    client = boto3.session.Session("admin", "admin").client(
        "s3",
        region_name="eu-west-1",
        endpoint_url=f"http://127.0.0.1:{moto}",
        config=Config(s3={"addressing_style": "path"}),
    )
    for bucket in ("bucket", "dotted.name"):
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    boto3.session.Session("admin", "admin").client(
        "s3", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{moto}"
    ).create_bucket(Bucket="virginia")
    client.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    return client


@contextmanager
def local_aws(authority: Authority, port: int, **more: Any) -> Iterator[tuple[Fetcher, Internet]]:
    """Yield a fetcher whose connections to AWS go to the local server on this port."""
    with Internet(authority.server("aws", subject=NAMES), lambda _: port) as internet:
        settings = Settings(
            https_proxy=internet.url, certificate_authorities=(authority.bundle,), total=more.pop("total", 20)
        )
        yield Fetcher(settings, **more), internet


def test_object_in_other_region_is_fetched(authority: Authority, moto: int, buckets: S3Client) -> None:
    contents = os.urandom(3_000_000)
    buckets.put_object(Bucket="bucket", Key="a b/ü+/../c", Body=contents, ACL="public-read")
    digest = f"sha256-{sha256(contents).hexdigest()}"
    with local_aws(authority, moto) as (fetcher, internet):
        url = "s3://bucket//a%20b/%C3%BC+/../c"
        assert fetcher.bytes(Source(url, hash=digest)) == contents
        with pytest.raises(VerificationFailed):
            fetcher.bytes(Source(url, hash="sha256-" + "0" * 64))
    assert internet.asked == [
        "bucket.s3.dualstack.us-east-1.amazonaws.com",
        "bucket.s3.dualstack.eu-west-1.amazonaws.com",
        "bucket.s3.dualstack.eu-west-1.amazonaws.com",
    ], "the region is looked up once"


def test_bucket_name_with_dots_uses_path_style(authority: Authority, moto: int, buckets: S3Client) -> None:
    buckets.put_object(Bucket="dotted.name", Key="key", Body=b"dots", ACL="public-read")
    with local_aws(authority, moto) as (fetcher, internet):
        assert fetcher.bytes(Source("s3://dotted.name/key")) == b"dots"
    assert internet.asked[-1] == "s3.dualstack.eu-west-1.amazonaws.com"


def test_version_id_selects_version(authority: Authority, moto: int, buckets: S3Client) -> None:
    first = buckets.put_object(Bucket="bucket", Key="versions", Body=b"one", ACL="public-read")["VersionId"]
    buckets.put_object(Bucket="bucket", Key="versions", Body=b"two", ACL="public-read")
    with local_aws(authority, moto) as (fetcher, _):
        assert fetcher.bytes(Source("s3://bucket/versions")) == b"two"
        assert fetcher.bytes(Source(f"s3://bucket/versions?versionId={first}")) == b"one"
        assert fetcher.bytes(Source(f"arn:aws:s3:::bucket/versions?versionId={first}")) == b"one"


def test_missing_and_private_objects_are_explained(
    authority: Authority, moto: int, buckets: S3Client
) -> None:
    with local_aws(authority, moto) as (fetcher, _):
        with pytest.raises(NotFound, match="GET s3://bucket/nothing: object not found in the bucket"):
            fetcher.bytes(Source("s3://bucket/nothing"))
        with pytest.raises(FetchError, match="s3://no-bucket: bucket not found") as caught:
            fetcher.bytes(Source("s3://no-bucket/key"))
        assert not isinstance(caught.value, NotFound), "a missing bucket must not count as a missing config"
        buckets.put_object(Bucket="bucket", Key="private", Body=b"secret")
        with pytest.raises(
            FetchError, match=r"GET s3://bucket/private: S3 denied anonymous access \(HTTP 403\)"
        ):
            fetcher.bytes(Source("s3://bucket/private"))


def test_signature_is_accepted_by_moto(
    authority: Authority, moto: int, buckets: S3Client, logged: Log
) -> None:
    """Moto verifies the signature and rejects requests without one."""
    buckets.put_object(Bucket="bucket", Key="private/a+b c", Body=b"secret")
    iam = boto3.session.Session("admin", "admin", region_name="us-east-1").client(
        "iam", endpoint_url=f"http://127.0.0.1:{moto}"
    )
    iam.create_user(UserName="machine")
    iam.put_user_policy(
        UserName="machine",
        PolicyName="read",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        ),
    )
    made = iam.create_access_key(UserName="machine")["AccessKey"]
    keys = AwsKeys(made["AccessKeyId"], made["SecretAccessKey"])
    wrong = AwsKeys(made["AccessKeyId"], "wrong")
    source = Source("s3://bucket/private/a+b%20c")
    with local_aws(authority, moto) as (fetcher, _):
        with checking_signatures(moto):
            assert fetcher.with_credentials(Credentials(aws_keys=lambda: keys)).bytes(source) == b"secret"
        with (
            checking_signatures(moto),
            pytest.raises(FetchError, match="rejected this machine's keys"),
        ):
            fetcher.with_credentials(Credentials(aws_keys=lambda: wrong)).bytes(source)
    for secret in (made["AccessKeyId"], made["SecretAccessKey"], "Signature"):
        assert secret not in logged.text


def test_instance_role_reads_private_object(
    authority: Authority, moto: int, buckets: S3Client, logged: Log
) -> None:
    """Moto serves the metadata service, its tokens and the object."""
    buckets.put_object(Bucket="bucket", Key="of the role", Body=b"secret")
    source = Source("s3://bucket/of%20the%20role")
    with local_aws(authority, moto) as (fetcher, internet):
        with pytest.raises(FetchError, match="denied anonymous access"):
            fetcher.bytes(source)
        internet.asked.clear()
        role = fetcher.with_credentials(credentials.aws(fetcher, f"http://127.0.0.1:{moto}"))
        assert role.bytes(source) == b"secret"
        assert role.with_settings(fetcher.settings).bytes(source) == b"secret"
    asked = [f"bucket.s3.dualstack.{region}.amazonaws.com" for region in ("us-east-1", "eu-west-1")]
    assert internet.asked == asked * 2
    assert sum("meta-data" in line and "attempt" in line for line in logged.of("info")) == 3, (
        "credentials are requested once for all settings"
    )
    assert "test-secret-key" not in logged.text
    assert "test-session-token" not in logged.text


def test_unknown_own_region_uses_default_region(authority: Authority, s3: HttpServer, logged: Log) -> None:
    def region() -> str:
        raise FetchError("nobody answers")

    s3.answer("/k", b"here")
    with local_aws(authority, s3.port, credentials=Credentials(aws_region=region)) as (fetcher, internet):
        assert fetcher.bytes(Source("s3://boot/k")) == b"here"
    assert set(internet.asked) == {"boot.s3.dualstack.us-east-1.amazonaws.com"}
    assert any(
        "cannot determine this machine's region (nobody answers)" in line for line in logged.of("info")
    )


@contextmanager
def checking_signatures(moto: int) -> Iterator[None]:
    """Make moto verify signatures, which is off by default, after the first request (the region lookup)."""
    set_unchecked_requests(moto, b"1")
    try:
        yield
    finally:
        set_unchecked_requests(moto, b"inf")


def set_unchecked_requests(moto: int, unchecked: bytes) -> None:
    """Set how many requests moto accepts without verifying their signature."""
    Fetcher().request(Request(f"http://127.0.0.1:{moto}/moto-api/reset-auth", verb="POST", body=unchecked))


ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>AKIAKEY {}</Message></Error>"


def refusal(status: int, code: str) -> Answer:
    return Answer(ERROR.format(code, code).encode(), status)


@pytest.fixture
def s3(server: HttpServer) -> HttpServer:
    """A server that answers the region lookup of the bucket `boot` with us-east-1."""
    server.answer("/", Answer(status=403, headers={"x-amz-bucket-region": "us-east-1"}), method="HEAD")
    return server


@pytest.mark.parametrize(
    ("status", "code", "kind", "why"),
    [
        (403, "AccessDenied", FetchError, r"S3 denied anonymous access \(HTTP 403\)"),
        (403, "RequestTimeTooSkewed", FetchError, "because this machine's clock is wrong"),
        (403, "InvalidAccessKeyId", FetchError, "does not know this machine's keys"),
        (400, "ExpiredToken", FetchError, "keys have expired"),
        (403, "InvalidObjectState", FetchError, "archived"),
        (404, "NoSuchKey", NotFound, "object not found"),
        (404, "NoSuchVersion", NotFound, "version of the object not found"),
        (400, "SomethingNew", FetchError, r"S3 returned 400 Bad Request \(SomethingNew\)"),
        (400, "<b>", FetchError, "the server answered 400"),
    ],
)
def test_s3_error_codes_are_explained(
    authority: Authority, s3: HttpServer, status: int, code: str, kind: type[FetchError], why: str
) -> None:
    s3.answer("/k", refusal(status, code))
    with local_aws(authority, s3.port) as (fetcher, _), pytest.raises(kind, match=why) as caught:
        fetcher.bytes(Source("s3://boot/k"))
    assert type(caught.value) is kind
    assert "AKIAKEY" not in f"{caught.value} {caught.value.hint}"
    assert s3.asked("/k") == 1


def test_denied_role_is_named_in_error(authority: Authority, s3: HttpServer) -> None:
    s3.answer("/k", refusal(403, "AccessDenied"))
    role = Credentials(aws_keys=lambda: AwsKeys("AKID", "sk", "tok"))
    with (
        local_aws(authority, s3.port, credentials=role) as (fetcher, _),
        pytest.raises(FetchError, match="to this machine's role") as caught,
    ):
        fetcher.bytes(Source("s3://boot/k"))
    assert "s3:GetObject" in caught.value.hint
    assert s3.requests[-1].headers["x-amz-security-token"] == "tok"
    assert "authorization" not in s3.requests[0].headers, "the region lookup is anonymous"


@pytest.mark.parametrize("answer", [None, FetchError("GET http://169.254.169.254/…: not in time")])
def test_missing_keys_fall_back_to_anonymous(
    authority: Authority, s3: HttpServer, logged: Log, answer: FetchError | None
) -> None:
    asked = 0

    def keys() -> AwsKeys | None:
        nonlocal asked
        asked += 1
        if answer is not None:
            raise answer
        return None

    s3.answer("/k", b"public")
    with local_aws(authority, s3.port, credentials=Credentials(aws_keys=keys)) as (fetcher, _):
        assert fetcher.bytes(Source("s3://boot/k")) == b"public"
        assert fetcher.bytes(Source("s3://boot/k")) == b"public"
    assert "authorization" not in s3.requests[-1].headers
    assert any("using anonymous access to S3" in line for line in logged.of("info")) == (answer is not None)
    assert asked <= 2


def test_transient_failure_is_retried_with_signature(
    authority: Authority, s3: HttpServer, clock: FakeClock
) -> None:
    s3.answer("/k", refusal(503, "SlowDown"), Answer(b"whole body", claim=20), b"done")
    role = Credentials(aws_keys=lambda: AwsKeys("AKID", "sk"))
    with local_aws(authority, s3.port, credentials=role, clock=clock) as (fetcher, _):
        assert fetcher.bytes(Source("s3://boot/k")) == b"done"
    signed = [request.headers["authorization"] for request in s3.requests if request.path == "/k"]
    assert len(signed) == 3
    assert all(each.startswith("AWS4-HMAC-SHA256 Credential=AKID/") for each in signed)


def test_interrupted_body_is_resumed_with_new_signature(
    authority: Authority, s3: HttpServer, clock: FakeClock
) -> None:
    contents = os.urandom(100_000)
    tag = {"ETag": '"1"'}
    rest = {**tag, "Content-Range": "bytes 60000-99999/100000"}
    s3.answer(
        "/k", Answer(contents[:60_000], headers=tag, claim=100_000), Answer(contents[60_000:], 206, rest)
    )
    role = Credentials(aws_keys=lambda: AwsKeys("AKID", "sk"))
    with local_aws(authority, s3.port, credentials=role, clock=clock) as (fetcher, _):
        assert fetcher.bytes(Source("s3://boot/k")) == contents
    last = s3.requests[-1].headers
    assert (last["range"], last["if-range"]) == ("bytes=60000-", '"1"')
    assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date," in last["authorization"]


def test_total_time_covers_all_requests(authority: Authority, server: HttpServer, clock: FakeClock) -> None:
    answers = [Answer(status=503)] * 5
    found = Answer(headers={"x-amz-bucket-region": "us-east-1"})
    server.answer("/", *answers, found, method="HEAD")
    server.answer("/k", Answer(status=503))
    with (
        local_aws(authority, server.port, total=10, clock=clock) as (fetcher, _),
        pytest.raises(TimedOut, match=r"GET s3://boot/k: timed out after 10 s"),
    ):
        fetcher.bytes(Source("s3://boot/k"))
    assert clock.time - 1000 <= 10


def test_compression_is_refused_before_any_request(authority: Authority, s3: HttpServer) -> None:
    with local_aws(authority, s3.port) as (fetcher, internet):
        for url in ("s3://boot/k", "arn:aws:s3:::boot/k"):
            with pytest.raises(FetchError, match="compression is not supported"):
                fetcher.bytes(Source(url, compression="gzip"))
    assert not internet.asked


@pytest.mark.parametrize(
    ("url", "region", "asked"),
    [
        ("s3://boot/k", "", "boot.s3.dualstack.us-east-1.amazonaws.com"),
        ("s3://boot/k", "eu-west-1", "boot.s3.dualstack.eu-west-1.amazonaws.com"),
        ("arn:aws:s3:::boot/k", "eu-west-1", "boot.s3.dualstack.us-east-1.amazonaws.com"),
        ("arn:aws-cn:s3:::boot/k", "eu-west-1", "boot.s3.dualstack.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:s3:::boot/k", "", "boot.s3.dualstack.us-gov-west-1.amazonaws.com"),
        ("arn:aws-new:s3:::boot/k", "eu-west-1", "boot.s3.dualstack.eu-west-1.amazonaws.com"),
        (
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/point/object/k",
            "",
            "point-123456789012.s3-accesspoint.dualstack.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_region_lookup_starts_with_partition_or_own_region(
    authority: Authority, server: HttpServer, url: str, region: str, asked: str
) -> None:
    server.answer("/k", b"here")
    server.answer("/", b"", method="HEAD")  # no region in the response: the first region is used
    with local_aws(authority, server.port, credentials=Credentials(aws_region=lambda: region)) as (
        fetcher,
        internet,
    ):
        assert fetcher.bytes(Source(url)) == b"here"
    assert set(internet.asked) == {asked}


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://bucket/a/b", S3Object("bucket", "a/b")),
        ("s3://bucket///a//b", S3Object("bucket", "a//b")),
        ("s3://bucket/a%2Fb%20c?versionId=v%2B1&x=y", S3Object("bucket", "a/b c", "v+1")),
        ("arn:aws:s3:::bucket/a:b/c%20d", S3Object("bucket", "a:b/c%20d", hint="us-east-1")),
        ("arn:aws-x:s3:::bucket/k?versionId=1", S3Object("bucket", "k", "1")),
        (
            "arn:aws:s3:us-west-2:123456789012:accesspoint/point/object/a/b?versionId=2",
            S3Object("arn:aws:s3:us-west-2:123456789012:accesspoint/point", "a/b", "2", "us-west-2"),
        ),
    ],
)
def test_s3_object_of_url_has_bucket_key_and_version(url: str, found: S3Object) -> None:
    assert S3Object.of(url) == found


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket",
        "s3://bucket//",
        "s3:///key",
        "s3:key",
        "arn:aws:s3:::bucket",
        "arn:aws:s3:::/key",
        "arn:aws:s3",
        "arn:aws:ec2:::bucket/key",
        "arn:aws:s3:us-west-2:1:accesspoint/point/key",
        "arn:aws:s3:us-west-2:1:accesspoint/point/object/",
        "arn:aws:s3::1:accesspoint/everywhere.mrap/object/key",
        "s3://bucket/%zz",
    ],
)
def test_s3_object_of_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(FetchError):
        S3Object.of(url)


@pytest.mark.parametrize(
    ("region", "bucket", "why"),
    [
        ("us-east-1", "b:1", "'b:1' is not a valid S3 bucket"),
        ("us-east-1", "b/c", "is not a valid S3 bucket"),
        ("nonsense\n", "b", "no S3 endpoint"),
        ("", "b", "no S3 endpoint"),
        ("us-east-1", "arn:aws:s3:us-east-1:1:accesspoint/p", "is not a valid S3 bucket"),
    ],
)
def test_invalid_bucket_or_region_is_refused(region: str, bucket: str, why: str) -> None:
    with pytest.raises(FetchError, match=why):
        aws.Addresses().object(region, bucket, "k", "")


def test_boto3_ignores_environment_and_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / ".aws").mkdir()
    (home / ".aws/config").write_text("[default]\nregion = mars\nendpoint_url = http://127.0.0.1:1\n[broken")
    (home / ".aws/credentials").write_text("[default]\naws_access_key_id = x\naws_secret_access_key = y\n")
    for name, value in {
        "HOME": str(home),
        "AWS_PROFILE": "nobody",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_S3_USE_ARN_REGION": "false",
        "AWS_DATA_PATH": "/nowhere",
        "AWS_DEFAULTS_MODE": "auto",
    }.items():
        monkeypatch.setenv(name, value)
    addresses = aws.Addresses()
    assert addresses.object("us-west-2", "boot", "k", "v 1") == (
        "https://boot.s3.dualstack.us-west-2.amazonaws.com/k?versionId=v%201"
    )
    point = "arn:aws:s3:us-west-2:123456789012:accesspoint/p"
    assert addresses.object("us-west-2", point, "k", "") == (
        "https://p-123456789012.s3-accesspoint.dualstack.us-west-2.amazonaws.com/k"
    )
