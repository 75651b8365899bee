// Counters, and every view of them.
