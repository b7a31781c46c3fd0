"""Text filters: what they are (:mod:`auricle.text.filters.base`), and one folder for each."""
