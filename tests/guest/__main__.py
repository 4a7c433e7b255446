# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.guest [PART…]`: run all cases, or those whose `FILE/title` contains one of the parts."""

from __future__ import annotations

import sys

from tests.guest.cases import CaseError, load
from tests.guest.lab import run_cases
from tests.lab.commands import LabError
from tests.lab.guest import Line


def main(parts: list[str]) -> int:
    """Run the cases; print the guest's console, then the failed cases. Return the exit status."""
    try:
        chosen = [case for case in load() if not parts or any(part in case.id for part in parts)]
        if not chosen:
            print(f"no case found with {' or '.join(parts)} in its title", file=sys.stderr)
            return 2
        results = run_cases(chosen, watch=_show)
    except (CaseError, LabError) as error:
        print(error, file=sys.stderr)
        return 1
    failed = [result for result in results if result.problems]
    for result in failed:
        print(f"\n{'=' * 100}\n{result}")
    seconds = sum(result.seconds for result in results)
    print(f"\n{len(results) - len(failed)} of {len(results)} cases passed, in {seconds:.0f} s of the guest")
    return 1 if failed else 0


def _show(line: Line) -> None:
    print(f"{line.at:6.1f}  {line.text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
