"""Dictation programs and plug-ins of editors, which use APIs of OpenAI."""
