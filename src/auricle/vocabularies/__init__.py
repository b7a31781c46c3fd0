"""Vocabularies: the terms of each key, which its sessions and files expect and write."""

NAME = "vocabularies"
