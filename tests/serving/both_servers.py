"""`python -m tests.serving.both_servers`: the suites that ask a server, by the local one and by a real one.

`TF_SERVING_BINARY` names the real one, a tensorflow_model_server; docs/serving.md says how to have one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.helpers.serving import REAL_SERVER

ROOT = Path(__file__).parents[2]
SUITES = {
    "protocol": ["tests/serving/server/test_grpc_protocol.py", "tests/serving/server/test_rest_protocol.py"],
    "documented calls": ["tests/docs/test_serving.py"],
    "client": ["tests/pipeline/test_local_run.py", "-k", "scored_in_bulk"],
    "load: a server with two threads": ["tests/serving/client/bulk/test_refusals.py", "-k", "two_threads"],
    "infra validation": ["tests/components/local_infra_validator"],
    "push and rollback": ["tests/pipeline/test_later_runs.py"],
}
_COUNTS = re.compile(r"\d+ (?:passed|failed|skipped|errors?)")


def main() -> int:
    """Prints the table, and what failed.

    Returns:
      The exit code: 1 where a test failed.
    """
    if not REAL_SERVER:
        print(
            "TF_SERVING_BINARY must name a tensorflow_model_server. Received: none. docs/serving.md tells of its image."
        )
        return 2
    print("| suite | local server | tensorflow_model_server |\n|---|---|---|")
    failures: list[str] = []
    for name, arguments in SUITES.items():
        columns = []
        for server in ("", REAL_SERVER):
            environment = {key: value for key, value in os.environ.items() if key != "TF_SERVING_BINARY"}
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
                cwd=ROOT,
                env=environment | ({"TF_SERVING_BINARY": server} if server else {}),
                capture_output=True,
                text=True,
            )
            columns.append(", ".join(_COUNTS.findall(done.stdout.splitlines()[-1])) or "nothing ran")
            failures += [done.stdout] if done.returncode else []
        print(f"| {name} | {' | '.join(columns)} |", flush=True)
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
