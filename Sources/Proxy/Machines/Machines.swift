// Pure state machines. No I/O, no clock, no handles.
