"""A TikTok of our own, with the real endpoints' shapes and real live media, for tests and demos."""

from wentlive_devkit.tiktok.scenario import (
    CreatorScript,
    InvalidScenario,
    LiveScript,
    MediaScript,
    Scenario,
    load_scenario,
)
from wentlive_devkit.tiktok.server import TikTokSimulator

__all__ = [
    "CreatorScript",
    "InvalidScenario",
    "LiveScript",
    "MediaScript",
    "Scenario",
    "TikTokSimulator",
    "load_scenario",
]
