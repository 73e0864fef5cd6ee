"""What `pelnas bench` measures: searches, predictors, proxies and conversations."""
