"""Targets that belong to no API: functions of bytes, their seeds, and the shapes of formats."""
