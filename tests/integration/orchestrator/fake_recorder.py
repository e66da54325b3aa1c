"""A recorder that records nothing: takes a job, reports as a real one would, and does what control files say."""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

CONTROL = Path(os.environ["WENTLIVE_RECORDER_CONTROL"])
INTERVAL = 0.15


class FakeRecorder:
    def __init__(self, job: dict) -> None:
        self.job = job
        self.sequence = 0
        self.opened_at = datetime.now(UTC).isoformat()
        self.bytes = 0
        self.stopped = False
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_: object) -> None:
        self.stopped = True

    def report(self, state: str, outcome: str | None = None) -> str:
        self.sequence += 1
        self.bytes += 1000
        stem = f"{self.job['blob_prefix']}/a{self.job['attempt']}-p1"
        part = {
            "part": 1, "state": "closed" if state == "done" else "open", "blob": f"{stem}.mp4",
            "index_blob": f"{stem}.index", "opened_at": self.opened_at, "committed_at": self.opened_at,
            "bytes": self.bytes, "duration": self.bytes / 1000, "fragments": self.sequence,
        }  # fmt: skip
        body = {
            "sequence": self.sequence, "at": datetime.now(UTC).isoformat(), "state": state, "outcome": outcome,
            "parts": [] if state == "connecting" or self.job["task"] == "salvage" else [part],
            "salvaged": [self.salvaged(part) for part in self.job["salvage"]], "granted_through_part": 4,
        }  # fmt: skip
        return self.post(json.dumps(body).encode())

    def salvaged(self, part: dict) -> dict:
        """Whatever was reported is closed; what was not is not there."""
        closed = part["known"] and part["known"] | {"state": "closed"}
        return {"attempt": part["attempt"], "part": part["part"], "report": closed}

    def post(self, body: bytes) -> str:
        request = urllib.request.Request(  # noqa: S310
            self.job["report_url"],
            body,
            {"Authorization": f"Bearer {self.job['report_token']}", "Content-Type": "application/json"},
        )
        for _ in range(300):
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
                    return json.load(answer)["command"]
            except urllib.error.HTTPError as error:
                sys.stderr.write(f"{error.code} {error.read()}\n")
                if error.code in (401, 404, 409):
                    return "abandon"
            except OSError as error:
                sys.stderr.write(f"{error}\n")
            time.sleep(0.1)
        return "abandon"

    def run(self) -> None:
        if self.job["task"] == "salvage":
            self.report("done", "ended")
            return
        command = self.report("connecting")
        while command == "continue":
            if (CONTROL / "ended").exists():
                self.report("done", "ended")
                return
            if (CONTROL / "crash").exists():
                (CONTROL / "crash").unlink()
                sys.exit(3)
            if self.stopped:
                self.report("done", "stopped")
                return
            time.sleep(INTERVAL)
            command = self.report("recording")
        if command == "finish":
            self.report("done", "stopped")


if __name__ == "__main__":
    FakeRecorder(json.loads(os.environ.get("WENTLIVE_RECORDER_JOB") or sys.stdin.read())).run()
