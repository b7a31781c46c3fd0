"""Recognisers on Ray Serve: faults, throughput and what the way there costs."""
