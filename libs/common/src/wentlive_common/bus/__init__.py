"""The event bus: one port, RabbitMQ and memory behind it."""

from wentlive_common.bus.port import BusUnavailable, DeadLetter, EventBus, Handler, SubscriptionPolicy

__all__ = ["BusUnavailable", "DeadLetter", "EventBus", "Handler", "SubscriptionPolicy"]
