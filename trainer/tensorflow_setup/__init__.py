"""How TensorFlow and Keras are set before they are used."""
