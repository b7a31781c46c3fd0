"""The durable ledger: jobs and webhook deliveries that survive a crash.

``jobs.job``, ``jobs.lease``, ``jobs.quota`` and ``webhooks.outbox`` are rules without I/O: frozen
values and the wall clock's ``now`` go in, frozen values come out. The stores read rows, apply a
rule, and write the rows back in one transaction.
"""
