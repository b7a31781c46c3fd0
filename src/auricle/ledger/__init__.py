"""The durable ledger: jobs, webhook deliveries and kept transcripts that survive a crash.

``job``, ``lease``, ``outbox`` and ``quota`` are rules without I/O: frozen values and the wall
clock's ``now`` go in, frozen values come out. The stores read rows, apply a rule, and write the
rows back in one transaction.
"""
