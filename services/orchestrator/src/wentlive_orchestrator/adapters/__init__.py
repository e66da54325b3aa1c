"""The orchestrator's ports over SQLite, MongoDB, local processes and Azure Blob Storage."""
