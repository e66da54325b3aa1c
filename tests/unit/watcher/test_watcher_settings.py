"""Settings that cannot work are refused at the start, and secrets stay out of what is shown."""

import re
from pathlib import Path

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
        {"egresses": []},
        {"egresses": [{"name": "direct"}, {"name": "direct"}]},
        {"egresses": [{"name": "Not a name"}]},
        {"egresses": [{"name": "de", "proxy": "socks5://de:1080"}]},
        {"egresses": [{"name": "de", "requests_per_second": 0}]},
        {"egresses": [{"name": "de", "creators": ["ann"]}, {"name": "at", "creators": ["ann"]}]},
        {"egresses": [{"name": "de", "creators": ["Not a handle"]}]},
        {"requests_per_second": 0},
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(values):
    with pytest.raises(ValidationError):
        settings(**values)


def test_the_environment_names_the_egresses(monkeypatch):
    monkeypatch.setenv("WENTLIVE_WATCHER_STORE_URL", "sqlite:///data/watcher.db")
    listed = '[{"name": "direct"}, {"name": "de", "proxy": "http://u:p@de:3128", "requests_per_second": 2}]'
    monkeypatch.setenv("WENTLIVE_WATCHER_EGRESSES", listed)
    read = WatcherSettings.model_validate({})
    assert [egress.name for egress in read.egresses] == ["direct", "de"]
    assert [read.budget(egress).requests_per_second for egress in read.egresses] == [0.5, 2]


def test_a_file_names_the_egresses(monkeypatch, tmp_path):
    (tmp_path / "wentlive_watcher_egresses").write_text('[{"name": "de", "cookies": "sessionid=1"}]')
    monkeypatch.setenv("WENTLIVE_SECRETS_DIR", str(tmp_path))
    (egress,) = settings().egresses
    assert egress.cookies is not None
    assert (egress.name, egress.cookies.get_secret_value()) == ("de", "sessionid=1")


def test_the_page_about_the_watcher_has_every_setting_and_its_default():
    page = (Path(__file__).parents[3] / "docs" / "watcher.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, re.MULTILINE))
    for name, field in WatcherSettings.model_fields.items():
        assert f"`{name}`" in page, name
        if isinstance(field.default, int | float):
            assert name == "health_port" or float(rows[name]) == field.default, name


def test_the_usual_interval_can_be_set_alone():
    policy = settings(check_interval=1).policy
    assert (policy.hot_interval, policy.check_interval, policy.cold_interval) == (1, 1, 300)
    assert settings(check_interval=600).policy.cold_interval == 600


def test_secrets_are_not_shown():
    egress = {"name": "de", "proxy": "http://u:hunter1@de", "cookies": "sessionid=hunter4"}
    shown = settings(
        store_url="mongodb://wentlive:hunter5@db/watcher",
        amqp_url="amqp://guest:hunter2@mq/",
        service_token="hunter3",
        egresses=[egress],
    )
    assert "hunter" not in repr(shown) + str(shown.summary())
