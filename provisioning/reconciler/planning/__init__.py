"""Planning: compile the manifests, observe the world, compute the plan."""
