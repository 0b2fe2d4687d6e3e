"""The versions of a model in the folder that TF Serving watches: pushed, kept, taken back."""
