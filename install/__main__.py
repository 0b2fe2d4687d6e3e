"""The steps of `make setup` beside uv: `python -m install uv-flags`, and `fit` with .venv's Python."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

from install.fitting import FittingError, fit_modules
from install.system import glibc, uv_flags
from pipeline.extension_modules import installed_modules


def main(command: str) -> int:
    if command == "uv-flags":
        print(*uv_flags(glibc(), platform.machine()))
        return 0
    if command != "fit":
        print(f"The command must be `uv-flags` or `fit`. Received: `{command}`.", file=sys.stderr)
        return 2
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return 0
    try:
        fitted = fit_modules(installed_modules(), Path(sys.prefix, ".lock"))  # uv's own while it installs
    except FittingError as error:
        print(error, file=sys.stderr)
        return 2
    if fitted:
        names = " and ".join(module.distribution for module in fitted)
        lacks = ", ".join(sorted({lack.version for lacks in fitted.values() for lack in lacks}))
        print(f"Fitted the extension modules of {names} to this system (glibc {glibc()}), which lacks {lacks}")
    return 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
