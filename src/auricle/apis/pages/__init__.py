"""The web pages and the documentation site, for browsers: an agent needs neither."""
