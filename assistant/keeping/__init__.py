"""What is kept between questions: conversations, people, keys, uploaded articles."""
