"""A TikTok of our own, with the real endpoints' shapes and real live media, for tests and demos."""

from wentlive_devkit.tiktok.crowd import CrowdScript
from wentlive_devkit.tiktok.scenario import (
    CreatorScript,
    InvalidScenario,
    LiveScript,
    MediaScript,
    Scenario,
    load_scenario,
)
from wentlive_devkit.tiktok.server import TikTokSimulator
from wentlive_devkit.tiktok.traps import RefusalScript, TrapScript

__all__ = [
    "CreatorScript",
    "CrowdScript",
    "InvalidScenario",
    "LiveScript",
    "MediaScript",
    "RefusalScript",
    "Scenario",
    "TikTokSimulator",
    "TrapScript",
    "load_scenario",
]
