"""Design rules: claims, their evidence, and the knowledge base."""
