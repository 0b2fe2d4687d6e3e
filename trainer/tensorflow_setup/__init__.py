"""The setup of TensorFlow and Keras before they are used."""
