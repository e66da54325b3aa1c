"""Private servers of one machine: each is a child process on free loopback ports, with all its data in one folder."""

from wentlive_devkit.servers.azurite import AzuriteServer
from wentlive_devkit.servers.errors import ServerFailed, ServerUnavailable
from wentlive_devkit.servers.mongodb import MongoServer
from wentlive_devkit.servers.rabbitmq import RabbitMqNode

__all__ = ["AzuriteServer", "MongoServer", "RabbitMqNode", "ServerFailed", "ServerUnavailable"]
