"""Settings that cannot work are refused at the start, and secrets stay out of what is shown."""

import pytest
from pydantic import ValidationError
from wentlive_watcher.settings import WatcherSettings


def settings(**values):
    return WatcherSettings.model_validate({"store_url": "sqlite:///data/watcher.db"} | values)


def test_the_environment_sets_them(monkeypatch):
    monkeypatch.setenv("WENTLIVE_WATCHER_STORE_URL", "mongodb://127.0.0.1/watcher")
    monkeypatch.setenv("WENTLIVE_WATCHER_CHECK_INTERVAL", "12.5")
    read = WatcherSettings.model_validate({})
    assert read.store_url.get_secret_value() == "mongodb://127.0.0.1/watcher"
    assert read.policy.check_interval == 12.5


@pytest.mark.parametrize(
    "values",
    [
        {"store_url": "postgres://db"},
        {"check_interval": 0},
        {"confirm_interval": float("nan")},
        {"ended_confirmations": 0},
        {"jitter": 0.9},
        {"lease": 5, "check_timeout": 10},
        {"follow_snapshot_url": "http://catalog"},
        {"health_port": 70_000},
        {"amqp_url": "localhost:5672"},
    ],
    ids=lambda values: "-".join(values),
)
def test_what_cannot_work_is_refused(values):
    with pytest.raises(ValidationError):
        settings(**values)


def test_secrets_are_not_shown():
    shown = settings(
        store_url="mongodb://wentlive:hunter1@db/watcher", amqp_url="amqp://guest:hunter2@mq/", service_token="hunter3"
    )
    assert "hunter" not in repr(shown) + str(shown.summary())
