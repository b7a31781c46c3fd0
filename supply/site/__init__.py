"""The documentation site: pages of docs/, and pages made from the code (``make docs``)."""
