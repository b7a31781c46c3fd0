"""What durable jobs cost, and what is repeated after a death: ``python -m bench.durable``."""
