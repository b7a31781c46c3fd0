"""Measurements that answered a question once; README.md lists question, answer and decision."""

import bench  # noqa: F401  # sets the number of threads before numpy is imported
