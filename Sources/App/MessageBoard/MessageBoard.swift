// Messages.
