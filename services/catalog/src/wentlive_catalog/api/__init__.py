"""The REST API under `/api/v1`: thin, typed, every error a problem."""
