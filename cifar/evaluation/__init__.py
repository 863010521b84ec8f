"""What is measured of a trained network, and on what images. A network is a function from images to logits here."""
