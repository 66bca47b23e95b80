"""The networks of StyleGAN2, and what goes with them."""
