"""Several LoRA adapters made into one, and the proof that merging it gives the model it stands for."""
