"""Reads documents - Markdown, HTML, text, reStructuredText, PDF, Word - as passages under their headings."""
