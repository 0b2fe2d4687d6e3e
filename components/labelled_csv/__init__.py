"""The strict reader of labelled texts, whichever component needs them: every row of a CSV is accepted or a fault."""
