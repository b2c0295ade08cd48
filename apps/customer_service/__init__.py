"""A bot that answers customers from the company's own articles, asks back, or hands over to a person."""
