"""No password, token or signature is left in a URL that is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ignition.resource.redact import redact


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://example.com/a?b=c", "http://example.com/a?b=c"),
        ("http://user:pass@example.com/a", "http://user:***@example.com/a"),
        ("http://us%40er:pa:ss@example.com", "http://us%40er:***@example.com"),
        ("https://ghp_token@example.com/", "https://***@example.com/"),
        ("https://a:b@c@d/", "https://a:***@d/"),
        ("https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=5ec&versionId=2",
         "https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=***&versionId=2"),
        ("https://x.blob.core.windows.net/c/b?sv=2022&sig=5ec%3D&sp=r",
         "https://x.blob.core.windows.net/c/b?sv=2022&sig=***&sp=r"),
        ("https://h/?TOKEN=t&token", "https://h/?TOKEN=***&token"),
        ("https://h/p@th?a=b@c", "https://h/p@th?a=b@c"),
        ("https://h/#access_token=t", "https://h/#***"),
        ("data:text/plain;base64,c2VjcmV0", "data:…"),
        ("DATA:,secret", "data:…"),
        ("http://h/\nINFO: forged", "http://h/\\nINFO: forged"),
        ("", ""),
        ("no url", "no url"),
    ],
)  # fmt: skip
def test_what_is_shown(url: str, shown: str) -> None:
    assert redact(url) == shown


SECRET = "5ecr3t"
SAFE = st.text(alphabet="abcdefgh0123", max_size=6)


@given(user=SAFE, host=SAFE, path=SAFE, other=SAFE)
def test_passwords_and_signatures_never_survive(user: str, host: str, path: str, other: str) -> None:
    url = f"https://{user}:{SECRET}@{host}/{path}?{other}=1&X-Goog-Signature={SECRET}&sig={SECRET}"
    assert SECRET not in redact(url)
