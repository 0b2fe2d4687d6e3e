"""From a model that all validations blessed to a version that TF Serving loads, and back to an earlier one."""
