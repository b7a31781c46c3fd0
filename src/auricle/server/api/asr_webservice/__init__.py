"""whisper-asr-webservice's API, see :mod:`auricle.protocol.asr_webservice`."""
