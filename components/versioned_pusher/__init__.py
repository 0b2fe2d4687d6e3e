"""From a blessed model to a version that TF Serving loads."""
