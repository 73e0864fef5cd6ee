"""The commands, the web page and the MCP server: what people and programs use the product by."""
