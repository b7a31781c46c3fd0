"""Authentication, origin checks, rate limits, connection limits and admission."""
