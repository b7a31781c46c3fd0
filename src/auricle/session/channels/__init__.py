"""Channels that are transcribed apart, behind the interfaces of one."""
