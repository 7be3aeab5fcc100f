"""The use cases: a typed request in, a typed result out; the only way inward for interfaces."""
