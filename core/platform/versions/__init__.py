"""Model versions: registered folders, which of them serves, and their way from machine to machine."""
