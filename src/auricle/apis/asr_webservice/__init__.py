"""whisper-asr-webservice's API, see :mod:`auricle.apis.asr_webservice.wire`."""
