"""The durable ledger: jobs and events that survive a crash.

``jobs.job``, ``jobs.lease`` and ``jobs.quota`` are rules without I/O: frozen
values and the wall clock's ``now`` go in, frozen values come out. The stores read rows, apply a
rule, and write the rows back in one transaction.
"""
