// What a statement is, and where it goes.
