"""The catalogue as the operator sees it: products, their pictures, and how both get in."""
