"""Deliver signed webhooks to public addresses: the request, how it is sent, and until when."""
