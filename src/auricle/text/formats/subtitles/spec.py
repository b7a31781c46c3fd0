"""SubRip and WebVTT."""

from auricle.text.formats.base import SubtitleFormat
from auricle.text.formats.subtitles.formats import VTT_START, srt_blocks, vtt_blocks

SPEC = {"srt": SubtitleFormat(srt_blocks), "vtt": SubtitleFormat(vtt_blocks, VTT_START)}
