"""Speech engines: the seam that they fit (:mod:`auricle.engines.base`), and one folder for each."""
