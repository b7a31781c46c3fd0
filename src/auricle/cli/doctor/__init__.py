"""``auricle doctor``: checks of this machine and the settings."""
