"""How many live streams a number of machines can serve: measurement and calculation."""
