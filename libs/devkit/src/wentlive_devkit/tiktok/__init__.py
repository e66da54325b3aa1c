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
from wentlive_devkit.tiktok.twists import Accident, BurstTurn, ClockTurn, FormatTurn, MuteTurn

__all__ = [
    "Accident",
    "BurstTurn",
    "ClockTurn",
    "CreatorScript",
    "CrowdScript",
    "FormatTurn",
    "InvalidScenario",
    "LiveScript",
    "MediaScript",
    "MuteTurn",
    "RefusalScript",
    "Scenario",
    "TikTokSimulator",
    "TrapScript",
    "load_scenario",
]
