// Owners of libevent things.
