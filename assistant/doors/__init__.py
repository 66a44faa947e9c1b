"""What people and programs ask through: each door translates, none decides what is answered."""
