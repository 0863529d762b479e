"""Systems at work: prompts, retrieval, the response store, the planner and the weights of local models."""
