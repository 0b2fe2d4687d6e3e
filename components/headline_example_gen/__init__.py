"""CSV files of any column names to the features `title` and `label`, split by a hash or as the data says."""
