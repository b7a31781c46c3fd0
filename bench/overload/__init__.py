"""More load than the server can handle: refusals, goodput and fairness."""
