"""One model a file, one SELECT a model; the file's name is the table's name. No Python belongs here."""
