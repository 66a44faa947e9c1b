"""What is asked: the task, the turn made whole, its limits, the kind of answer wanted."""
