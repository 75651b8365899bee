// The settings file.
