// Owners of libpq things.
