"""Images and masks that the page works on, and what is downloaded of them."""
