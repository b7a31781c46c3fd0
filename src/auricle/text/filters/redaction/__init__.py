"""Private numbers and addresses are hidden."""
