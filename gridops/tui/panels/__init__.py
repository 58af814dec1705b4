"""What each panel says: pure functions from the model to lines of text and the age of what they speak of."""
