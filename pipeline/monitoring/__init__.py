"""What is served, compared with what the model was trained on."""
