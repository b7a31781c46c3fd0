"""Who may start a live session: decided by whether captions are on time."""
