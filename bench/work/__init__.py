"""The work of live streams on a simulated clock: deterministic figures that guard the live path."""
