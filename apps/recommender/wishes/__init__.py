"""What a visitor's sentence asks for: kinds, years, prices, what an item is like, and what it must not be."""
