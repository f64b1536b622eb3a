"""What the train stages share: texts → batches → loop, with what keeps a long run safe."""
