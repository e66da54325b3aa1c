"""The script that fills .env in: private, different on each machine, and never over an existing one."""

import base64
import re


def written(make_env, folder) -> dict[str, str]:
    assert make_env.main([str(folder)]) == 0
    return dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines() if line and line[0] != "#")


def test_every_value_is_filled_in_for_the_owner_alone(make_env, tmp_path):
    values = written(make_env, tmp_path)
    assert all(values.values())
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(values["WENTLIVE_STORAGE_KEY"], validate=True)) == 64
    made = {name: value for name, value in values.items() if "${" not in value and name != "WENTLIVE_STORAGE_KEY"}
    assert all(re.fullmatch(r"[0-9a-f]{32}", value) for value in made.values())
    assert len(set(made.values())) == len(made) == 5


def test_no_two_machines_share_a_secret(make_env, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, two = (written(make_env, folder) for folder in folders)
    assert [name for name in one if one[name] == two[name] and "${" not in one[name]] == []


def test_an_existing_file_is_left_alone(make_env, tmp_path, capsys):
    (tmp_path / ".env").write_text("kept")
    assert make_env.main([str(tmp_path)]) == 1
    assert (tmp_path / ".env").read_text() == "kept"
    assert "left as it is" in capsys.readouterr().err


def test_a_demo_asks_a_simulator_and_nothing_else_does(make_env, tmp_path):
    (tmp_path / "demo").mkdir()
    assert make_env.main([str(tmp_path / "demo"), "--demo"]) == 0
    lines = (tmp_path / "demo" / ".env").read_text().splitlines()
    assert {"COMPOSE_PROFILES=demo", "WENTLIVE_TIKTOK_URL=http://tiktok:8080"} <= set(lines)
    assert not {"COMPOSE_PROFILES", "WENTLIVE_TIKTOK_URL"} & written(make_env, tmp_path).keys()
