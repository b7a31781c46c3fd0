"""Recognition and decoding in local processes that may crash, hang or eat memory."""
