"""Webhooks: signed requests to public addresses that report what happened, sent until accepted."""
