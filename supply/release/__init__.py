"""Checks of a release: the wheel, the sdist and the npm package, as users install them."""
