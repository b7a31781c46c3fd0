"""Speech engines: the seam that they fit (:mod:`auricle.engine.base`), and one folder for each."""
