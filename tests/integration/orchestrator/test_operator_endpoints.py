"""A running orchestrator as its operator sees it, and one that has no money left."""

import httpx

TOKEN = "an-operators-token"
SERVICE_TOKEN = {"WENTLIVE_ORCHESTRATOR_SERVICE_TOKEN": TOKEN}


def ask(orchestrator, path, token=TOKEN):
    url = f"http://127.0.0.1:{orchestrator.port}/internal/v1/{path}"
    return httpx.get(url, headers={"authorization": f"Bearer {token}"}, trust_env=False)


def test_what_runs_is_shown_and_what_it_cost_is_told(orchestrator):
    orchestrator.start(**SERVICE_TOKEN)
    orchestrator.until(lambda: [r for r in orchestrator.recordings() if r.state == "recording"], "a recording")
    recording = orchestrator.only()
    [container] = ask(orchestrator, "containers").json()["containers"]
    assert (container["name"], container["owned"]) == (recording.attempts[0].name, True)
    [shown] = ask(orchestrator, "recordings").json()["recordings"]
    assert (shown["recording_id"], shown["attempts"][0]["state"]) == (recording.recording_id, "running")
    assert ask(orchestrator, f"recordings/{recording.recording_id}/attempts/1/log").status_code == 200
    assert ask(orchestrator, "containers", token="another-ones-token").status_code == 401
    orchestrator.end_live()
    orchestrator.until(lambda: orchestrator.only().settled, "the end")
    assert orchestrator.only().attempts[0].bill.usd == 0, "a process costs nothing"
    [creator] = ask(orchestrator, "costs").json()["costs"]["creators"]
    assert (creator["handle"], creator["attempts"]) == ("ann", 1)


def test_without_money_a_live_waits_and_is_recorded_when_there_is_some(orchestrator):
    orchestrator.start(WENTLIVE_ORCHESTRATOR_BUDGET__MONTHLY_USD="0", **SERVICE_TOKEN)
    orchestrator.until(lambda: [r for r in orchestrator.recordings() if r.waiting], "a recording that waits")
    [shown] = ask(orchestrator, "recordings?only=unsettled").json()["recordings"]
    assert shown["trouble"].startswith("This month's budget of 0.00 USD is spent.")
    assert shown["attempts"] == []
    assert orchestrator.recorders() == []
    orchestrator.kill()
    orchestrator.start()
    orchestrator.until(lambda: orchestrator.only().state == "recording", "a recording")
    assert orchestrator.only().waiting is None
    assert ask(orchestrator, "recordings").status_code == 404
