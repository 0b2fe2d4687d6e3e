"""The demo page of `clickbait serve --demo`, and the one path behind it that is not TF Serving's."""
