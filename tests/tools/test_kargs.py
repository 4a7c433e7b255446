"""The protocol of the kernel argument helper."""

from __future__ import annotations

from ignition.tools.kargs import set_arguments


def test_first_those_that_should_be_there() -> None:
    assert set_arguments(["a", "b=c d"], ["e"]).real_argv() == [
        *(
            "ignition-kargs-helper",
            "--should-exist",
            "a",
            "--should-exist",
            "b=c d",
            "--should-not-exist",
            "e",
        )
    ]
