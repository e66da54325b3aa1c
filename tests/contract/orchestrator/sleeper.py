"""A recorder for the runtime's contract: keeps what it was given, then waits to be stopped."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from urllib.request import urlopen

given = Path(os.environ["WENTLIVE_RECORDER_GIVEN"])
mode = os.environ.get("WENTLIVE_RECORDER_MODE", "")
if mode == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
job = os.environ.get("WENTLIVE_RECORDER_JOB") or sys.stdin.read()
(given.with_suffix(".new")).write_text("\0".join([job, *sys.argv, *(f"{k}={v}" for k, v in os.environ.items())]))
given.with_suffix(".new").rename(given)
sys.stderr.write("it began\n")
sys.stderr.flush()
if mode == "dies":
    sys.exit(5)
deadline = time.monotonic() + 60
url = json.loads(job)["report_url"]
while time.monotonic() < deadline:
    # A container hears that it is to leave by the answer to its report, and by nothing else.
    if not url.startswith("http://127.0.0.1:9/") and urlopen(url).read() == b"finish":  # noqa: S310 - made by the test
        sys.exit(0)
    time.sleep(0.05)
