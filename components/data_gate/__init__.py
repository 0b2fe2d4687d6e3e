"""A verdict on the data that the Trainer needs: nothing is trained on refused data, on any runner."""
