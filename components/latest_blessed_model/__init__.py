"""The baseline of an evaluation: the last blessed model, taken from the folder that is served."""
