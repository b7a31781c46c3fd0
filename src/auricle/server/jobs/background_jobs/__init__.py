"""Background jobs: accepted into the ledger, transcribed later, kept until they expire.

A job is accepted once its audio and then its row are durable. From then on it survives the death of
the server. Its id is the idempotency key: the same id with the same audio and options is the same
job. Finished chunks are stored, so that a job continues where it was interrupted.
"""
