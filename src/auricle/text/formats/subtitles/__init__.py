"""SubRip and WebVTT: where cues and lines break, and how they are written."""
