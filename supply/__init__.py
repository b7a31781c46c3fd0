"""What Auricle is made of: the packages that its lock files pin, their flaws and their licences."""
