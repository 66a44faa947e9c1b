"""The document side: articles in, passages with vectors out."""
