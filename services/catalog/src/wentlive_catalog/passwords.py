"""Password hashing, two at a time: each costs tens of megabytes and a good part of a second on purpose."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

PARALLEL_HASHES = 2
"""Guessing must not starve everybody else."""


class Passwords:
    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turn = asyncio.Semaphore(PARALLEL_HASHES)
        self._nobodys = self._hasher.hash("nobody's")

    async def hashed(self, password: str) -> str:
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def verified(self, known_hash: str | None, password: str) -> bool:
        """An unknown name takes as long as a known one: give None for it."""
        async with self._turn:
            right = await asyncio.to_thread(self._verifies, known_hash or self._nobodys, password)
        return right and known_hash is not None

    def is_outdated(self, known_hash: str) -> bool:
        """Whether it was made with weaker parameters than those of today."""
        return self._hasher.check_needs_rehash(known_hash)

    def _verifies(self, known_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(known_hash, password)
        except (VerificationError, InvalidHashError):
            return False
