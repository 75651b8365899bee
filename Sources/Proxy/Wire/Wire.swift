// Bytes to requests and replies to bytes: framing, escapes, limits. No I/O, no clock.
