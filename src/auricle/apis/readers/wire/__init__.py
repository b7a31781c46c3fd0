"""What readers of a live session get: server-sent events, WebVTT and HLS playlists."""
