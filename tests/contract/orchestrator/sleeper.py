"""A recorder for the runtime's contract: keeps what it was given, then waits to be stopped."""

import os
import signal
import sys
import time
from pathlib import Path

given = Path(os.environ["WENTLIVE_RECORDER_GIVEN"])
mode = os.environ.get("WENTLIVE_RECORDER_MODE", "")
if mode == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
job = sys.stdin.read()
(given.with_suffix(".new")).write_text("\0".join([job, *sys.argv, *(f"{k}={v}" for k, v in os.environ.items())]))
given.with_suffix(".new").rename(given)
sys.stderr.write("it began\n")
sys.stderr.flush()
if mode == "dies":
    sys.exit(5)
time.sleep(60)
