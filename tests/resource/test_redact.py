# SPDX-License-Identifier: Apache-2.0
"""Redaction of passwords, tokens and signatures in URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.resource.redact import redact


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://example.com/a", "http://example.com/a"),
        ("http://user:pass@example.com/a", "http://user:***@example.com/a"),
        ("http://us%40er:pa:ss@example.com", "http://us%40er:***@example.com"),
        ("https://ghp_token@example.com/", "https://***@example.com/"),
        ("https://a:b@c@d/", "https://a:***@d/"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=5ec&versionId=2",
         "https://b.s3.amazonaws.com/k?X-Amz-Date=***&X-Amz-Signature=***&versionId=2"),
        ("https://x.blob.core.windows.net/c/b?sv=2022&sig=5ec%3D&sp=r",
         "https://x.blob.core.windows.net/c/b?sv=***&sig=***&sp=***"),
        ("https://h/?TOKEN=t&token", "https://h/?TOKEN=***&***"),
        # Parameter names of OpenStack, GitLab, CloudFront and unknown servers.
        ("https://h/v1/c/o?temp_url_sig=5ec&temp_url_expires=9",
         "https://h/v1/c/o?temp_url_sig=***&temp_url_expires=***"),
        ("https://h/raw?private_token=t", "https://h/raw?private_token=***"),
        ("https://h/o?Policy=p&Key-Pair-Id=k", "https://h/o?Policy=***&Key-Pair-Id=***"),
        ("https://h/?%74oken=t", "https://h/?%74oken=***"),
        ("https://h/?t0k3n", "https://h/?***"),
        ("https://h/?dDBrM24=", "https://h/?***"),
        ("https://h/?alt=media;token=t&versionId=v%3D=", "https://h/?alt=***&versionId=v%3D="),
        ("https://h/?", "https://h/?"),
        # Invalid URLs.
        ("user:pass@host/a", "user:***@host/a"),
        ("token@host/a@b", "***@host/a@b"),
        ("http:/user:pass@host/a", "http:/user:***@host/a"),
        ("http://user:pa/ss@host/a", "http://user:***"),
        ("http://[::1]/a", "http://[::1]/a"),
        ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
        ("arn:aws:s3:us-west-2:1:accesspoint/p/object/k", "arn:aws:s3:us-west-2:1:accesspoint/p/object/k"),
        (" data:,secret", "data:…"),
        ("https://h/p@th?a=b@c", "https://h/p@th?a=***"),
        ("https://h/#access_token=t", "https://h/#***"),
        ("data:text/plain;base64,c2VjcmV0", "data:…"),
        ("DATA:,secret", "data:…"),
        ("http://h/\nINFO: forged", "http://h/\\nINFO: forged"),
        ("", ""),
        ("no url", "no url"),
    ],
)  # fmt: skip
def test_redact_hides_secrets_and_keeps_object_names(url: str, shown: str) -> None:
    assert redact(url) == shown


SECRET = "5ecr3t"
SAFE = st.text(alphabet="abcdefgh0123", max_size=6)


@given(user=SAFE, host=SAFE, path=SAFE, other=SAFE)
def test_redact_removes_passwords_and_signatures(user: str, host: str, path: str, other: str) -> None:
    url = f"https://{user}:{SECRET}@{host}/{path}?{other}={SECRET}&X-Goog-Signature={SECRET}&{SECRET}"
    assert SECRET not in redact(url)
