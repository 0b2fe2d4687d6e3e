"""CSV files of any column names to the features `title` and `label`, split by the hash of the title."""
